/** What makes the page step: it lights up what belongs to one stop, and knows nothing else of it. Runs in any browser of 2020 on. */
export const pageScript = `
'use strict'
const stops = JSON.parse(document.getElementById('journey').textContent)
const station = (n) => document.querySelector('[data-station="' + n + '"]')
const sections = stops.map((_, i) => document.getElementById('stop-' + i))
const packet = document.getElementById('packet')
const play = document.getElementById('play')
let at = -1
let timer
function show(i, scroll) {
  packet.style.transition = at < 0 ? 'none' : ''
  at = Math.max(0, Math.min(stops.length - 1, i))
  const stop = stops[at]
  document.querySelectorAll('.on').forEach((e) => e.classList.remove('on'))
  stop.stations.forEach((n) => station(n).classList.add('on'))
  sections[at].classList.add('on')
  if (scroll !== false) sections[at].scrollIntoView({ block: 'nearest' })
  const box = station(stop.stations[stop.stations.length - 1]).querySelector('rect').getBBox()
  packet.setAttribute('visibility', 'visible')
  packet.setAttribute('class', stop.direction)
  packet.style.transform = 'translate(' + (box.x + box.width - 4) + 'px,' + (box.y + 4) + 'px)'
  document.getElementById('position').textContent = (at + 1) + ' of ' + stops.length + (stop.direction === 'forward' ? ', request' : ', reply')
  try { history.replaceState(null, '', '#' + (at + 1)) } catch {}
}
function playing(on) {
  clearInterval(timer)
  timer = on ? setInterval(() => (at + 1 < stops.length ? show(at + 1) : playing(false)), 900) : undefined
  play.textContent = on ? '⏸ pause' : '▶ play'
}
const toggle = () => { if (!timer && at + 1 >= stops.length) show(0); playing(!timer) }
const go = (i) => { playing(false); show(i) }
const click = (id, action) => document.getElementById(id).addEventListener('click', action)
click('first', () => go(0))
click('back', () => go(at - 1))
click('next', () => go(at + 1))
click('play', toggle)
const detail = () => document.getElementById('all').setAttribute('aria-pressed', document.body.classList.toggle('all'))
click('all', detail)
document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return
  const move = { ArrowRight: 1, ArrowLeft: -1, n: 1, p: -1 }[e.key]
  if (move) go(at + move)
  else if (e.key === 'Home') go(0)
  else if (e.key === 'End') go(stops.length - 1)
  else if (e.key === 'd') detail()
  else if (e.key === ' ' && e.target.tagName !== 'BUTTON') toggle()
  else return
  e.preventDefault()
})
sections.forEach((s, i) => s.addEventListener('click', () => go(i)))
document.querySelectorAll('[data-station]').forEach((e) => e.addEventListener('click', () => {
  const n = Number(e.dataset.station)
  const later = stops.findIndex((s, i) => i > at && s.stations.includes(n))
  go(later >= 0 ? later : stops.findIndex((s) => s.stations.includes(n)))
}))
document.body.classList.add('stepping')
if (stops.length > 0) show((Number(location.hash.slice(1)) || 1) - 1, location.hash !== '')
`
