"""The product around the library: recipes, the command line, reports, advice, Keras scripts, the doctor."""
