"""The style sheet of the page: light and dark, wide and narrow, screen and paper."""

STYLE = """
:root {
  color-scheme: light dark; --mono: ui-monospace, "SF Mono", Consolas, "DejaVu Sans Mono", monospace;
  --page: #f4f5f7; --card: #ffffff; --ink: #1b1e23; --soft: #596069; --line: #dfe3e8;
  --accent: #005b94; --tint: #eef4f9; --warn: #8a4b00; --right: 0 114 178; --wrong: 213 94 0;
  --shade: rgb(0 0 0 / .2);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f0f10; --card: #1a1a1a; --ink: #e6e7e9; --soft: #a2a8b0; --line: #34373b;
    --accent: #6fb9ea; --tint: #1c2a35; --warn: #f0ab62; --right: 58 150 212; --wrong: 230 120 40;
    --shade: rgb(255 255 255 / .22);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 70rem; padding: 1.5rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "DejaVu Sans",
    sans-serif;
}
h1, h2, h3, p, dl, dd, dt, ul, figure { margin: 0; padding: 0; }
h1, h2, h3, th, td, li, dd, b, figcaption { overflow-wrap: break-word; unicode-bidi: isolate; }
h1, h2, h3, dd, figcaption { min-width: 0; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.6rem, 5vw, 2.3rem); line-height: 1.2; }
h2 { font-size: 1.15rem; margin-bottom: .8rem; }
h3 { font-size: 1rem; }
header { margin-bottom: 1.25rem; }
.kind { color: var(--soft); font-size: .8rem; font-weight: 600; letter-spacing: .04em; }
.note { color: var(--soft); font-size: .9rem; }
.facts {
  display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin-top: .5rem; list-style: none;
  color: var(--soft);
}
.facts b { color: var(--ink); font-weight: 600; }
.banner {
  margin-top: .8rem; padding: .6rem .9rem; border-left: 4px solid var(--warn); background: var(--card);
}
nav { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: 0 0 1.25rem; font-size: .92rem; }
nav a { color: var(--accent); padding: .25rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
section {
  margin-bottom: 1.25rem; padding: 1.1rem 1.25rem 1.25rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 10px;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; }
.tiles div { padding: .7rem .9rem; border-radius: 8px; background: var(--tint); }
.tiles dt { color: var(--soft); font-size: .85rem; }
.tiles dd { font-size: 1.55rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
.advice {
  padding: .8rem 1rem; border-left: 4px solid var(--warn); background: var(--tint);
  border-radius: 0 8px 8px 0;
}
.advice + .advice { margin-top: .75rem; }
.advice p { margin-top: .3rem; }
.advice .kind { margin: 0; color: var(--warn); }
.advice ul { margin: .2rem 0 0 1.2rem; }
main { display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
section { flex: 1 1 100%; min-width: 0; max-width: 100%; }
#confusion.beside { flex: 0 1 auto; }
#confusion.beside + #classes { flex: 1 1 24rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1rem; }
.gallery.single { max-width: 44rem; margin-bottom: 1rem; }
.chart img { display: block; width: 100%; max-width: 36rem; height: auto; }
.single .chart img { max-width: none; }
.samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.8rem, 1fr)); gap: 1rem .8rem; }
.sample img {
  display: block; width: 100%; aspect-ratio: 1; object-fit: contain; background: #808080;
  border-radius: 4px; image-rendering: pixelated;
}
.sample figcaption { margin-top: .3rem; font-size: .82rem; line-height: 1.35; color: var(--soft); }
.sample span { display: block; }
.sample b { color: var(--ink); }
/* A shadow where there is more; the colour of the card moves along and covers it at the end. */
.scroll {
  overflow: auto; max-height: 30rem;
  background:
    linear-gradient(transparent, var(--card) 60%) bottom / 100% 2.5rem no-repeat local,
    linear-gradient(to right, transparent, var(--card) 60%) right / 2.5rem 100% no-repeat local,
    linear-gradient(to top, var(--shade), transparent) bottom / 100% .8rem no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / .8rem 100% no-repeat scroll;
}
.gallery + .scroll, .note + .scroll { margin-top: .8rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table {
  width: max-content; border-collapse: separate; border-spacing: 0; font-size: .9rem;
  font-variant-numeric: tabular-nums;
}
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td {
  max-width: 26rem; padding: .3rem .75rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line);
}
thead th, thead td {
  position: sticky; top: 0; z-index: 1; background: var(--card); color: var(--soft); font-weight: 600;
}
tbody th { font-weight: 600; }
.n { text-align: right; white-space: nowrap; }
thead th { white-space: nowrap; }
.code th, .code td, .names thead th { font-family: var(--mono); font-size: .85rem; }
.code tbody th { font-weight: 400; }
.confusion { font-size: .85rem; border-spacing: 2px; }
.confusion th, .confusion td { border: 0; padding: .3rem .45rem; text-align: center; vertical-align: middle; }
.confusion td {
  min-width: 2.4rem; border-radius: 3px; -webkit-print-color-adjust: exact; print-color-adjust: exact;
}
.confusion tbody th {
  position: sticky; left: 0; max-width: 13rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  text-align: right; background: var(--card);
}
.confusion .corner {
  left: 0; z-index: 2; color: var(--soft); font-size: .75rem; white-space: nowrap; text-align: right;
}
.scroll:has(.confusion) { max-height: none; }
.confusion.many th, .confusion.many td { padding: .2rem; }
.confusion.many td { min-width: 1.75rem; }
.confusion.tall thead th { vertical-align: bottom; }
.confusion.tall thead span {
  display: inline-block; max-height: 12rem; overflow: hidden; writing-mode: vertical-rl;
  transform: rotate(180deg);
  text-overflow: ellipsis; white-space: nowrap;
}
.hit { background: rgb(var(--right) / calc(.1 + .5 * var(--part))); }
.miss { background: rgb(var(--wrong) / calc(.14 + .6 * var(--part))); }
.zero { color: var(--soft); opacity: .55; }
pre {
  margin: 0; padding: .9rem 1rem; max-height: 34rem; overflow: auto; background: var(--page);
  border-radius: 6px;
  font: .82rem/1.45 var(--mono); tab-size: 4;
}
code { font-family: var(--mono); font-size: .92em; }
summary { cursor: pointer; color: var(--accent); padding: .2rem 0; }
details[open] summary { margin-bottom: .6rem; }
.samples + details { margin-top: .9rem; }
footer { color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) {
  body { padding: 1rem .6rem 3rem; }
  section { padding: .9rem .8rem 1rem; }
  .tiles { grid-template-columns: repeat(2, 1fr); gap: .5rem; }
  .tiles dd { font-size: 1.3rem; }
  th, td { padding: .3rem .5rem; }
  .confusion th, .confusion td { padding: .3rem .15rem; }
  .confusion td { min-width: 1.5rem; }
  .confusion .corner { font-size: .6rem; }
  .samples { grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); }
  .sample figcaption { font-size: .75rem; }
  .confusion tbody th { max-width: 7rem; padding-right: .4rem; }
}
@media screen and (prefers-color-scheme: dark) {
  .chart img { filter: invert(.9) hue-rotate(180deg); }
}
@media print {
  main { display: block; }
  :root {
    --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --tint: #f3f3f3; --accent: #000;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  section { border: 0; padding: 0; }
  section, figure, .advice, tr { break-inside: avoid; }
  #history, #model, #settings, #metrics, #log, #classes { break-inside: auto; }
  .scroll, pre { max-height: none; overflow: visible; background: none; }
  pre { padding: 0; white-space: pre-wrap; }
  .gallery { grid-template-columns: 1fr 1fr; }
  details::details-content { content-visibility: visible; height: auto; }
}
"""
