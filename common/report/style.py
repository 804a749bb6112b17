"""The style of the pages, light and dark, on paper and on a phone; and their one small script."""

STYLE = """
:root{color-scheme:light dark;--paper:#fdfcf9;--ink:#1d1b18;--soft:#5d5850;--hair:#dfdad0;
  --real:#0a6a66;--held:#9a4f08;--third:#5c5f8a;--gain:#0a6a66;--loss:#a63a1c;--wash:#0a6a661f;--alert:#a3241b;
  --edge:#1d1b1840}
@media (prefers-color-scheme:dark){
  :root{--paper:#151412;--ink:#edeae3;--soft:#aaa498;--hair:#36322c;--real:#5fcac2;--held:#f0a35c;
  --third:#a9addf;--gain:#5fcac2;--loss:#f2906e;--wash:#5fcac22b;--alert:#ff8f83;
  --edge:#edeae340}
}
*{box-sizing:border-box}
html{background:var(--paper);color:var(--ink);
  font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
  font-variant-numeric:tabular-nums lining-nums;-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;padding:clamp(1.25rem,4vw,3.5rem) clamp(1rem,4vw,2.5rem) 4rem;max-width:68rem;
  overflow-wrap:break-word}
header{margin-bottom:2.75rem}
.eyebrow{margin:0 0 .75rem;color:var(--soft);font-size:.875rem;letter-spacing:.01em}
.eyebrow b{color:var(--ink);font-weight:600}
h1{margin:0;max-width:30ch;font-size:clamp(1.5rem,1rem + 2.4vw,2.5rem);line-height:1.18;font-weight:600;
  letter-spacing:-.022em;text-wrap:balance}
h2{margin:0 0 .35rem;font-size:1.1875rem;line-height:1.3;font-weight:600;letter-spacing:-.011em}
h3{margin:1.5rem 0 .25rem;font-size:.9375rem;font-weight:600}
p{margin:.25rem 0 .75rem;max-width:66ch}
.lead{margin-top:1rem;font-size:1.0625rem;color:var(--soft);max-width:60ch}
.soft,.note{color:var(--soft)}
.note{font-size:.875rem}
section{border-top:1px solid var(--hair);padding-top:1.5rem;margin-top:2.5rem;min-width:0}
ul.plain{list-style:none;margin:.5rem 0 .75rem;padding:0}
ul.plain li{padding:.3rem 0;max-width:66ch}
ul.plain li+li{border-top:1px solid var(--hair)}
.alert{color:var(--alert);font-weight:600}
dl{display:grid;grid-template-columns:minmax(7rem,auto) minmax(0,1fr);gap:.35rem 1.5rem;margin:.75rem 0}
dt{color:var(--soft)}
@media (max-width:30rem){
  dl{grid-template-columns:minmax(0,1fr);gap:0}
  dt{font-size:.875rem}
  dd{padding-bottom:.5rem}
}
dd{margin:0}
figure{margin:1rem 0 0}
figure svg{display:block}
figure text{font:12px/1 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:var(--soft);
  font-variant-numeric:tabular-nums;paint-order:stroke;stroke:var(--paper);stroke-width:3px;
  stroke-linejoin:round}
.grid line,.axis line,.zero{stroke:var(--hair);stroke-width:1;shape-rendering:crispEdges}
.canvas path{vector-effect:non-scaling-stroke}
.line{fill:none;stroke-width:1.5;stroke-linejoin:round;stroke-linecap:round;stroke:var(--soft)}
.line.bot{stroke:var(--real);stroke-width:2.25}
.line.held{stroke:var(--held);stroke-width:1.75}
.line.base{stroke:var(--third);stroke-dasharray:5 3}
.line.quote{stroke:var(--soft);stroke-dasharray:1.5 3.5}
.area{fill:var(--wash)}
.area.loss{fill:var(--loss);fill-opacity:.22}
.rule line{stroke:var(--soft);stroke-dasharray:2 3;stroke-width:1}
.rule.target line{stroke-dasharray:none}
.rule.flow line{stroke:var(--third);stroke-dasharray:none;stroke-width:1.25}
.mark path{stroke:var(--paper);stroke-width:1}
.mark.buy path{fill:var(--real)}
.mark.sell path{fill:var(--held)}
.mark.flow path{fill:var(--third)}
.mark.bot path{fill:var(--real)}
.bar.gain{fill:var(--gain)}
.bar.loss{fill:var(--loss)}
.bar.total{fill:var(--ink)}
.bar.span{fill:var(--real);fill-opacity:.45}
.waterfall text,.names text{font-size:13px;fill:var(--ink)}
.waterfall .total text{font-weight:600}
.cell{fill:var(--real)}
.cell.best,.cell.chosen{stroke:var(--ink);stroke-width:2}
.cell.chosen{stroke-dasharray:3 2}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:0 0 .75rem;padding:0;
  font-size:.875rem;color:var(--soft)}
.legend li{display:flex;align-items:center;gap:.5rem}
.key{flex:none;width:1.25rem;border-top:2px solid var(--soft)}
.key.bot{border-top-color:var(--real);border-top-width:3px}
.key.held{border-top-color:var(--held)}
.key.base{border-top:2px dashed var(--third)}
.key.quote{border-top-style:dotted}
.key.target{border-top-width:1px}
.key.buy,.key.sell,.key.flow{width:.6rem;height:.6rem;border:0;background:var(--real);
  clip-path:polygon(50% 0,100% 100%,0 100%)}
.key.sell{background:var(--held);clip-path:polygon(0 0,100% 0,50% 100%)}
.key.flow{background:var(--third);clip-path:polygon(50% 0,100% 50%,50% 100%,0 50%)}
.key.level{border-top:1px dashed var(--soft)}
details{margin:.75rem 0 0;font-size:.875rem}
summary{cursor:pointer;color:var(--soft);width:fit-content;padding:.15rem 0}
summary:hover{color:var(--ink)}
:focus-visible{outline:2px solid var(--real);outline-offset:3px;border-radius:2px}
.scroll{overflow-x:auto;max-width:100%;margin:.5rem 0 1rem;
  background:linear-gradient(90deg,var(--paper) 40%,transparent) 0 0/3rem 100% no-repeat local,
  linear-gradient(270deg,var(--paper) 40%,transparent) 100% 0/3rem 100% no-repeat local,
  linear-gradient(90deg,var(--edge),transparent) 0 0/1rem 100% no-repeat scroll,
  linear-gradient(270deg,var(--edge),transparent) 100% 0/1rem 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.4}
caption{text-align:left;color:var(--soft);padding:0 0 .4rem;font-size:.8125rem}
th,td{padding:.4rem .9rem .4rem 0;text-align:left;vertical-align:baseline;border-top:1px solid var(--hair);
  font-weight:400}
thead th{color:var(--soft);border-top:0;font-size:.8125rem}
th.n,td.n{text-align:right;white-space:nowrap}
th:last-child,td:last-child{padding-right:0}
footer{margin-top:3rem;border-top:1px solid var(--hair);padding-top:1rem;font-size:.8125rem;color:var(--soft)}
@page{size:A4;margin:16mm 15mm}
@media print{
  :root{--paper:#fff;--ink:#000;--soft:#444;--hair:#bbb;--real:#0a6a66;--held:#9a4f08;
  --third:#5c5f8a;--gain:#0a6a66;--loss:#a63a1c;--wash:#0a6a661f;--alert:#a3241b}
  html{font-size:10.5pt}
  body{padding:0;max-width:none}
  section{margin-top:1.25rem;padding-top:.9rem}
  figure svg,tr,li,table:not(:has(tr:nth-child(16))){break-inside:avoid}
  h2,h3,caption,thead{break-after:avoid}
  .key{print-color-adjust:exact;-webkit-print-color-adjust:exact}
  summary{display:none}
  table{font-size:8pt;line-height:1.25}
  th,td{padding:.12rem .6rem .12rem 0}
  details::details-content{content-visibility:visible;block-size:auto}
  .scroll{overflow:visible;background:none}
}
""".strip()

SCRIPT = """
for(const t of document.querySelectorAll('time')){const d=new Date(t.dateTime);
if(!isNaN(d)&&d.getTimezoneOffset())t.append(' ('+d.toLocaleString(undefined,
{day:'numeric',month:'short',hour:'2-digit',minute:'2-digit'})+' here)')}
""".strip()
"""Adds the reader's local time to each UTC time; the page is complete without it."""
