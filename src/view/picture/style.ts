/** One set of colours for light and dark; contrast of text is 4.5 to 1 or more in both. */
export const pictureColours = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --faint: #57606a; --line: #c9d0d9; --box: #f5f7fa; --fill: #fff;
  --forward: #0a58ca; --reply: #8a4b00; --good: #116329; --bad: #b3201d; --bad-fill: #fdebea; --change: #7d4e00; --on: #fff3c4; --code: #f0f3f6 }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --text: #e4e8ee; --faint: #9aa4b0; --line: #3b434e; --box: #1b2027; --fill: #242a33;
  --forward: #7ab4ff; --reply: #f0b36a; --good: #7fd494; --bad: #ff8f88; --bad-fill: #43191b; --change: #ecc071; --on: #4d4214; --code: #20262e } }
`

export const svgStyle = `
svg text { font: 12.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: var(--text) }
svg .page { fill: var(--page) } svg .box { fill: var(--box); stroke: var(--line) } svg .box-name { font-weight: 700 }
svg .station rect { fill: var(--fill); stroke: var(--line); stroke-width: 1.3 } svg .station.failed rect { fill: var(--bad-fill); stroke: var(--bad) }
svg .station.wire rect { fill: none; stroke: none } svg .box.wire { fill: var(--box); stroke: var(--line); stroke-dasharray: 5 3 }
svg .kind { fill: var(--faint) } svg .number { font-weight: 700 } svg .number.forward { fill: var(--forward) } svg .number.reply { fill: var(--reply) }
svg .route { fill: none; stroke-width: 2.2; stroke-linejoin: round } svg .route.forward { stroke: var(--forward) } svg .route.reply { stroke: var(--reply); stroke-dasharray: 7 3 }
svg marker.forward path { fill: var(--forward) } svg marker.reply path { fill: var(--reply) }
`

export const pageStyle = `
* { box-sizing: border-box } body { background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; margin: 0; padding: .8rem 1.25rem }
h1 { font-size: 1.25rem; margin: 0 0 .2rem; overflow-wrap: anywhere } h2 { font-size: 1rem; margin: 1rem 0 .3rem } h2:first-child { margin-top: 0 }
.verdict { border: 1.5px solid; border-radius: 6px; padding: .05rem .5rem; font-size: 1rem } .good { color: var(--good) } .bad { color: var(--bad) } .change { color: var(--change) }
p { margin: .25rem 0 } .faint, .node { color: var(--faint) } .cause b { color: var(--bad) } .origin { color: var(--faint) } .note::before { content: 'note '; color: var(--faint) }
.packet, code, .step { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere }
nav { position: sticky; top: 0; z-index: 1; display: flex; gap: .4rem; align-items: center; padding: .5rem 0; background: var(--page) } #position { color: var(--faint); margin-left: .4rem }
button { font: inherit; color: inherit; background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: .2rem .7rem; cursor: pointer } button:hover, button[aria-pressed=true] { border-color: var(--forward) }
main { display: grid; grid-template-columns: minmax(0, 11fr) minmax(0, 9fr); gap: 1.25rem } .map svg { max-width: 100%; height: auto; max-height: 100%; display: block; margin: 0 auto }
@media (min-width: 62rem) { body { height: 100vh; display: flex; flex-direction: column } main { flex: 1; min-height: 0 } .stops { overflow-y: auto; padding-right: .4rem } .map { min-height: 0; display: flex; flex-direction: column } .map svg { flex: 1; min-height: 0 } header { max-height: 30vh; overflow-y: auto; flex-shrink: 0 } }
@media (max-width: 61.99rem) { main { grid-template-columns: minmax(0, 1fr) } } .legend .forward, h2.forward { color: var(--forward) } .legend .reply, h2.reply { color: var(--reply) }
.legend { font-size: .85rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem } .stop { border: 1px solid var(--line); border-radius: 7px; margin: .25rem 0; padding: .3rem .6rem; cursor: pointer } .stop.failed { border-color: var(--bad) }
.stop h3 { font-size: .92rem; font-weight: 600; margin: 0; display: flex; gap: .5rem; flex-wrap: wrap } .stop h3 .node { margin-left: auto; font-weight: 400 } .stop h3 .faint { font-weight: 400 } .n { color: var(--faint); min-width: 1.3em; text-align: right }
.stop.on { background: var(--box); border-color: var(--change); box-shadow: inset 4px 0 0 var(--change) } .stepping .stop .inside { display: none } .stepping .stop.on .inside { display: block } .inside { padding: .3rem 0 .3rem 1.9em }
.step { display: grid; grid-template-columns: 7.5em 1fr; gap: .6em; margin: .15rem 0 } .step b { font-weight: 600; color: var(--faint) } .stepping:not(.all) .step.level-1, .stepping:not(.all) .step.level-2 { display: none } .step code { display: block; background: var(--code); color: var(--text); border-radius: 4px; padding: .1rem .4rem; margin: .15rem 0 }
svg .station { cursor: pointer } svg .station.on rect { fill: var(--on); stroke: var(--change); stroke-width: 2.5 } svg .station.failed.on rect { fill: var(--bad-fill); stroke: var(--bad) } #packet { transition: transform .35s ease-in-out } #packet circle { stroke: var(--page); stroke-width: 2 } #packet.forward circle { fill: var(--forward) } #packet.reply circle { fill: var(--reply) }
@media (prefers-reduced-motion: reduce) { #packet { transition: none } } @media print { nav, #packet { display: none } .stepping .stop .inside { display: block } body { height: auto } .stops { overflow: visible } }
`
