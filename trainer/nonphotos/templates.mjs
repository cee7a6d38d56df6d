/**
 * Pages that look like what people's screens and papers show, each a source of its own: kind, viewport and HTML.
 * Pictures of photographs are never among them; what is drawn is drawn at random.
 */
import { FONTS, MONOSPACED, TEXTS } from './texts.mjs';

const page = (style, body) => `<!doctype html><meta charset="utf-8"><style>*{box-sizing:border-box}body{margin:0;${style}}</style>${body}`;
const text = (r) => r.of(TEXTS);
/** Some words of a text; scripts without spaces are cut anywhere. */
function words(r, low, high, from = text(r)) {
  const parts = from.includes(' ') ? from.split(' ') : from.match(/.{1,3}/gu);
  const glue = from.includes(' ') ? ' ' : '';
  return Array.from({ length: r.whole(low, high) }, () => r.of(parts)).join(glue);
}
const paper = (r) => (r.chance(0.15) ? '#1c1c1e' : r.of(['#fff', '#fff', '#fdfbf4', '#f4ecd8', '#f7f7f7']));
const ink = (ground) => (ground === '#1c1c1e' ? '#eee' : '#1a1a1a');
const font = (r) => `"${r.of(FONTS)}", "Noto Sans CJK SC", sans-serif`;
const icon = (r) => String.fromCodePoint(r.of([0x2605, 0x2665, 0x2699, 0x2709, 0x260e, 0x2702, 0x270e, 0x2713, 0x2717, 0x2600, 0x2601, 0x2602, 0x266b, 0x265e, 0x2691, 0x2708, 0x25b6, 0x25cf, 0x25a0]));
const amount = (r) => `${r.whole(0, 99)}.${String(r.whole(0, 99)).padStart(2, '0')}`;
const date = (r) => `${r.whole(1, 28)}.${r.whole(1, 12)}.20${r.whole(10, 29)}`;

function book(r) {
  const ground = paper(r);
  const from = text(r);
  return {
    size: [r.whole(420, 900), r.whole(500, 1100)],
    html: page(
      `background:${ground};color:${ink(ground)};font:${r.whole(13, 26)}px/1.45 ${font(r)};padding:${r.whole(16, 80)}px;text-align:${r.of(['justify', 'left'])}`,
      (r.chance(0.4) ? `<h2>${words(r, 2, 5, from)}</h2>` : '') + r.times(3, 9, () => `<p>${words(r, 20, 110, from)}.</p>`),
    ),
  };
}
function letter(r) {
  const from = text(r);
  return {
    size: [700, 990],
    html: page(
      `background:#fff;color:#222;font:${r.whole(14, 19)}px/1.5 ${font(r)};padding:70px`,
      `<div style="text-align:right">${words(r, 2, 4, from)}<br>${words(r, 2, 4, from)}<br>${date(r)}</div><br><br>
       <div>${words(r, 2, 4, from)}<br>${words(r, 2, 3, from)}</div><br><br><b>${words(r, 3, 7, from)}</b>
       ${r.times(1, 4, () => `<p>${words(r, 20, 60, from)}.</p>`)}<br><i>${words(r, 2, 3, from)}</i>`,
    ),
  };
}
function newspaper(r) {
  const from = text(r);
  return {
    size: [1000, r.whole(800, 1300)],
    html: page(
      `background:${r.of(['#fff', '#f3efe2', '#e9e5da'])};color:#111;font:${r.whole(12, 16)}px/1.3 serif;padding:24px`,
      `<h1 style="text-align:center;font-size:60px;margin:0;border-bottom:3px double">${words(r, 2, 3, from)}</h1>
       <div style="columns:${r.whole(2, 5)};column-rule:1px solid #999;margin-top:12px">
       ${r.times(4, 9, () => `<h3 style="margin:4px 0;font-size:${r.whole(18, 34)}px">${words(r, 3, 8, from)}</h3><p style="text-align:justify">${words(r, 40, 150, from)}.</p>${r.chance(0.3) ? `<div style="height:${r.whole(60, 160)}px;background:#${r.of(['999', '777', 'bbb'])}"></div>` : ''}`)}</div>`,
    ),
  };
}
function receipt(r) {
  const from = text(r);
  return {
    size: [r.whole(300, 420), r.whole(500, 900)],
    html: page(
      `background:${r.of(['#fff', '#f5f5f0', '#ddd'])};color:#222;font:${r.whole(13, 17)}px/1.35 "${r.of(MONOSPACED)}";padding:20px`,
      `<div style="text-align:center"><b>${words(r, 2, 3, from).toUpperCase()}</b><br>${words(r, 3, 5, from)}<br>${date(r)} ${r.whole(8, 20)}:${r.whole(10, 59)}</div><hr>
       ${r.times(5, 18, () => `<div style="display:flex;justify-content:space-between"><span>${words(r, 1, 3, from)}</span><span>${amount(r)}</span></div>`)}
       <hr><div style="display:flex;justify-content:space-between;font-size:1.4em"><b>TOTAL</b><b>${amount(r)}</b></div><br><div style="text-align:center">${words(r, 2, 5, from)}</div>`,
    ),
  };
}
function code(dark) {
  return (r) => {
    const [ground, plain] = dark ? [r.of(['#1e1e1e', '#282c34', '#002b36', '#000']), '#d4d4d4'] : [r.of(['#fff', '#fdf6e3', '#fafafa']), '#222'];
    const colours = dark ? ['#569cd6', '#ce9178', '#6a9955', '#dcdcaa', '#9cdcfe', '#0f0'] : ['#00f', '#a31515', '#080', '#795e26', '#001080'];
    const name = () => r.of(['value', 'index', 'list', 'user', 'request', 'buffer', 'node', 'result', 'config', 'path', 'total', 'key']);
    let depth = 0;
    const line = (i) => {
      depth = Math.max(0, Math.min(6, depth + r.whole(-1, 1)));
      const start = r.of(['if', 'for', 'return', 'let', 'fn', 'const', 'while', 'import', 'def', '#']);
      const parts = r.times(1, 5, () => ` <span style="color:${r.of(colours)}">${name()}${r.of(['', '.', '()', '[0]', ' =', ' +', ',', ' =='])}</span>`);
      return `${r.chance(0.12) ? '' : `<span style="opacity:.5">${String(i + 1).padStart(3)} </span>${'    '.repeat(depth)}<b style="color:${colours[0]}">${start}</b>${parts} ${r.of(['{', '}', ';', ':', ''])}`}\n`;
    };
    return {
      size: [r.whole(500, 1200), r.whole(400, 900)],
      html: page(`background:${ground};color:${plain}`, `<pre style="margin:0;padding:12px;font:${r.whole(13, 20)}px/1.4 '${r.of(MONOSPACED)}'">${r.times(20, 50, line)}</pre>`),
    };
  };
}
function form(r) {
  const from = text(r);
  return {
    size: [760, r.whole(700, 1050)],
    html: page(
      `background:#fff;color:#222;font:16px/1.4 ${font(r)};padding:40px`,
      `<h2 style="border-bottom:2px solid">${words(r, 2, 5, from)}</h2>${r.times(6, 14, () =>
        `<div style="display:flex;gap:12px;margin:10px 0;align-items:center"><span style="width:${r.whole(120, 220)}px">${words(r, 1, 3, from)}</span>${
          r.chance(0.3) ? r.times(2, 4, () => `<span style="width:16px;height:16px;border:1px solid;display:inline-block"></span> ${words(r, 1, 1, from)}`) : `<span style="flex:1;border:${r.of(['1px solid #555', '0;border-bottom:1px solid #555'])};height:28px;padding:3px 8px;font-style:italic;color:#224">${r.chance(0.5) ? words(r, 1, 3, from) : ''}</span>`
        }</div>`)}`,
    ),
  };
}
function table(r) {
  const from = text(r);
  const columns = r.whole(3, 8);
  const stripe = r.chance(0.5) ? r.colour([88, 96]) : '#fff';
  return {
    size: [r.whole(600, 1200), r.whole(400, 900)],
    html: page(
      `background:#fff;color:#222;font:${r.whole(13, 20)}px/1.3 ${font(r)};padding:16px`,
      `<table style="width:100%;border-collapse:collapse">${r.times(8, 26, (i) =>
        `<tr style="background:${i === 0 ? r.colour([30, 90]) : i % 2 ? stripe : '#fff'};font-weight:${i ? 400 : 700}">${Array.from({ length: columns }, (_, c) => `<td style="border:${r.of([1, 1])}px solid #bbb;padding:5px 8px">${c && i ? (r.chance(0.7) ? amount(r) : words(r, 1, 2, from)) : words(r, 1, 2, from)}</td>`).join('')}</tr>`)}</table>`,
    ),
  };
}
function slide(r) {
  const from = text(r);
  const dark = r.chance(0.4);
  return {
    size: [960, r.of([540, 720])],
    html: page(
      `background:${dark ? r.colour([10, 35]) : r.of(['#fff', '#fff', r.colour([88, 97])])};color:${dark ? '#fff' : '#222'};font:${r.whole(24, 36)}px/1.4 ${font(r)};padding:50px`,
      `<h1 style="margin:0 0 24px;color:${dark ? '#fff' : r.colour([20, 45])}">${words(r, 2, 6, from)}</h1><ul>${r.times(2, 6, () => `<li>${words(r, 3, 10, from)}</li>`)}</ul>`,
    ),
  };
}
function sign(r) {
  const from = text(r);
  return {
    size: [r.whole(400, 900), r.whole(300, 700)],
    html: page(
      `background:${r.of(['#fff', '#000', r.colour([15, 90])])};display:grid;place-content:center;height:100vh;text-align:center;font:700 ${r.whole(40, 110)}px/1.1 ${font(r)}`,
      `<div style="color:${r.of(['#fff', '#111', r.colour()])};mix-blend-mode:${r.of(['normal', 'difference'])}">${words(r, 1, 5, from)}</div>${r.chance(0.5) ? `<small style="font-size:.4em;color:#888">${words(r, 2, 6, from)}</small>` : ''}`,
    ),
  };
}

const axes = (r, w, h) => `<path d="M50 20V${h - 40}H${w - 20}" fill="none" stroke="#333"/>${r.times(3, 8, (i) => `<path d="M50 ${60 + i * 50}H${w - 20}" stroke="#ddd"/><text x="10" y="${64 + i * 50}" font-size="14">${r.whole(0, 90)}</text>`)}`;
const chart = (inside) => (r) => {
  const [w, h] = [r.whole(420, 800), r.whole(320, 560)];
  const from = text(r);
  return {
    size: [w, h],
    html: page(
      `background:${r.of(['#fff', '#fff', '#fff', '#f2f2f2', '#222'])};font-family:${font(r)}`,
      `<svg width="${w}" height="${h}">${inside(r, w, h, from)}${r.chance(0.7) ? `<text x="${w / 2}" y="20" text-anchor="middle" font-size="18">${words(r, 2, 6, from)}</text>` : ''}</svg>`,
    ),
  };
};
const bars = chart((r, w, h) => {
  const count = r.whole(3, 12);
  const step = (w - 90) / count;
  const one = r.colour();
  const many = r.chance(0.4);
  return axes(r, w, h) + Array.from({ length: count }, (_, i) => {
    const height = r.whole(10, h - 90);
    return `<rect x="${60 + i * step}" y="${h - 40 - height}" width="${step * 0.7}" height="${height}" fill="${many ? r.colour() : one}"/>`;
  }).join('');
});
const lines = chart((r, w, h) => axes(r, w, h) + r.times(1, 5, () => {
  let y = r.whole(60, h - 80);
  const points = Array.from({ length: r.whole(6, 40) }, (_, i, ) => i);
  const step = (w - 80) / points.length;
  const path = points.map((i) => `${55 + i * step},${(y = Math.max(30, Math.min(h - 45, y + r.whole(-40, 40))))}`).join(' ');
  return `<polyline points="${path}" fill="none" stroke="${r.colour([20, 60])}" stroke-width="${r.whole(1, 4)}"/>`;
}));
const scatter = chart((r, w, h) => axes(r, w, h) + r.times(1, 4, () => {
  const [colour, cx, cy] = [r.colour([20, 70]), r.whole(100, w - 60), r.whole(60, h - 80)];
  return r.times(20, 90, () => `<circle cx="${cx + r.whole(-70, 70) * r.next()}" cy="${cy + r.whole(-70, 70) * r.next()}" r="${r.whole(2, 5)}" fill="${colour}"/>`);
}));
const pie = chart((r, w, h) => {
  const radius = Math.min(w, h) * 0.36;
  let at = 0;
  const slices = r.times(3, 8, () => {
    const to = Math.min(1, at + 0.08 + r.next() * 0.3);
    const point = (t) => `${w / 2 + radius * Math.sin(t * 2 * Math.PI)} ${h / 2 + 10 - radius * Math.cos(t * 2 * Math.PI)}`;
    const path = `<path d="M${w / 2} ${h / 2 + 10}L${point(at)}A${radius} ${radius} 0 ${to - at > 0.5 ? 1 : 0} 1 ${point(to)}Z" fill="${r.colour([30, 75])}" stroke="#fff"/>`;
    at = to;
    return path;
  });
  return `${slices}<path d="M${w / 2} ${h / 2 + 10}l0 ${-radius}" stroke="#fff"/>` + (r.chance(0.4) ? `<circle cx="${w / 2}" cy="${h / 2 + 10}" r="${radius / 2}" fill="#fff"/>` : '');
});
const flow = chart((r, w, h, from) => {
  const boxes = Array.from({ length: r.whole(4, 10) }, () => [r.whole(10, w - 130), r.whole(30, h - 60)]);
  const fill = r.chance(0.5) ? '#fff' : r.colour([80, 95]);
  return boxes.slice(1).map(([x, y], i) => `<path d="M${boxes[i][0] + 60} ${boxes[i][1] + 20}L${x + 60} ${y + 20}" stroke="#444" stroke-width="2"/>`).join('') +
    boxes.map(([x, y]) => `<rect x="${x}" y="${y}" width="120" height="40" rx="${r.of([0, 6, 20])}" fill="${fill}" stroke="#333" stroke-width="2"/><text x="${x + 60}" y="${y + 25}" text-anchor="middle" font-size="14">${words(r, 1, 2, from).slice(0, 14)}</text>`).join('');
});
const map = chart((r, w, h, from) => {
  const blob = (colour) => {
    const [cx, cy] = [r.whole(0, w), r.whole(0, h)];
    const points = Array.from({ length: 14 }, (_, i) => `${cx + Math.cos(i * 0.45) * r.whole(40, 190)},${cy + Math.sin(i * 0.45) * r.whole(40, 190)}`).join(' ');
    return `<polygon points="${points}" fill="${colour}"/>`;
  };
  return `<rect width="${w}" height="${h}" fill="${r.of(['#f2efe9', '#e8e4d8', '#fff', '#aad3df'])}"/>` + r.times(2, 6, () => blob(r.of(['#aad3df', '#c8facc', '#add19e', '#e0dfdf', '#f2efe9']))) +
    r.times(6, 24, () => `<path d="M${r.whole(-20, w)} ${r.whole(-20, h)}Q${r.whole(0, w)} ${r.whole(0, h)} ${r.whole(0, w)} ${r.whole(0, h + 20)}" fill="none" stroke="${r.of(['#fff', '#f7d774', '#e892a2', '#bbb', '#888'])}" stroke-width="${r.whole(1, 9)}"/>`) +
    r.times(4, 16, () => `<text x="${r.whole(0, w - 60)}" y="${r.whole(20, h)}" font-size="${r.whole(11, 20)}" fill="#333">${words(r, 1, 2, from)}</text>`);
});

const button = (r, from) => `<span style="display:inline-block;background:${r.colour([35, 60])};color:#fff;border-radius:${r.of([0, 4, 8, 24])}px;padding:8px 18px;margin:4px">${words(r, 1, 2, from)}</span>`;
function settings(r) {
  const from = text(r);
  const dark = r.chance(0.4);
  return {
    size: [r.whole(360, 430), r.whole(640, 860)],
    html: page(
      `background:${dark ? '#111' : '#f2f2f7'};color:${dark ? '#eee' : '#111'};font:16px/1.3 ${font(r)}`,
      `<div style="background:${r.of([dark ? '#222' : '#fff', r.colour([30, 55])])};padding:16px;font-size:20px;font-weight:700">‹ ${words(r, 1, 3, from)}</div>
       ${r.times(7, 13, () => `<div style="display:flex;align-items:center;gap:12px;padding:13px 16px;border-bottom:1px solid ${dark ? '#333' : '#ddd'};background:${dark ? '#1c1c1e' : '#fff'}"><span style="width:28px;height:28px;border-radius:7px;background:${r.colour([40, 65])};color:#fff;text-align:center">${icon(r)}</span><span style="flex:1">${words(r, 1, 3, from)}</span>${r.chance(0.5) ? `<span style="width:46px;height:26px;border-radius:13px;background:${r.of(['#34c759', '#999', '#2196f3'])};padding:3px"><span style="display:block;width:20px;height:20px;border-radius:50%;background:#fff;margin-left:${r.of([0, 20])}px"></span></span>` : '›'}</div>`)}`,
    ),
  };
}
function chat(r) {
  const from = text(r);
  const dark = r.chance(0.35);
  const mine = r.colour([45, 75]);
  return {
    size: [r.whole(360, 430), r.whole(640, 860)],
    html: page(
      `background:${dark ? '#0b141a' : r.of(['#fff', '#efe7dd'])};color:${dark ? '#eee' : '#111'};font:16px/1.3 ${font(r)}`,
      `<div style="background:${r.colour([25, 55])};color:#fff;padding:14px;display:flex;gap:10px;align-items:center"><span style="width:36px;height:36px;border-radius:50%;background:#ccc"></span>${words(r, 1, 3, from)}</div>
       ${r.times(5, 11, () => { const own = r.chance(0.5); return `<div style="display:flex;justify-content:${own ? 'end' : 'start'};padding:5px 12px"><span style="max-width:75%;background:${own ? mine : dark ? '#202c33' : '#eee'};border-radius:14px;padding:8px 12px">${words(r, 2, 16, from)}</span></div>`; })}`,
    ),
  };
}
function desktop(r) {
  const from = text(r);
  const window_ = () => {
    const [x, y] = [r.whole(0, 700), r.whole(0, 400)];
    return `<div style="position:absolute;left:${x}px;top:${y}px;width:${r.whole(320, 700)}px;height:${r.whole(220, 480)}px;background:${r.of(['#fff', '#f4f4f4', '#222'])};color:#888;border:1px solid #777;box-shadow:0 4px 20px #0006;overflow:hidden"><div style="background:${r.of(['#ddd', '#333', r.colour([30, 70])])};padding:6px 10px">${words(r, 1, 4, from)} <span style="float:right">– □ ×</span></div>${r.times(3, 16, () => `<div style="padding:3px 10px">${r.chance(0.4) ? icon(r) : ''} ${words(r, 1, 9, from)}</div>`)}</div>`;
  };
  return {
    size: [1280, r.of([720, 800])],
    html: page(
      `background:linear-gradient(${r.whole(0, 359)}deg,${r.colour()},${r.colour()});font:15px/1.35 ${font(r)};height:100vh;overflow:hidden;position:relative`,
      `${r.times(1, 4, window_)}<div style="position:absolute;bottom:0;width:100%;background:#222d;color:#fff;padding:10px">${r.times(4, 12, () => `<span style="margin:0 9px;font-size:22px">${icon(r)}</span>`)}<span style="float:right">${r.whole(0, 23)}:${r.whole(10, 59)}</span></div>`,
    ),
  };
}
function website(r) {
  const from = text(r);
  const main = r.colour([25, 60]);
  return {
    size: [r.whole(1000, 1360), r.whole(700, 1000)],
    html: page(
      `background:${r.of(['#fff', '#fff', '#f6f6f6', '#181818'])};color:#777;font:16px/1.5 ${font(r)}`,
      `<div style="background:${main};color:#fff;padding:14px 40px;display:flex;gap:28px"><b>${words(r, 1, 2, from)}</b>${r.times(3, 6, () => `<span>${words(r, 1, 1, from)}</span>`)}</div>
       <div style="padding:${r.whole(20, 70)}px 40px;background:${r.colour([85, 95])};color:#222"><h1 style="font-size:44px;margin:0">${words(r, 3, 7, from)}</h1><p>${words(r, 8, 24, from)}</p>${r.times(1, 3, () => button(r, from))}</div>
       <div style="display:grid;grid-template-columns:repeat(${r.whole(2, 4)},1fr);gap:20px;padding:24px 40px">${r.times(3, 8, () => `<div style="border:1px solid #ccc;border-radius:${r.of([0, 8])}px;overflow:hidden"><div style="height:${r.whole(40, 150)}px;background:linear-gradient(${r.colour()},${r.colour()})"></div><div style="padding:10px"><b>${words(r, 1, 4, from)}</b><br>${words(r, 5, 16, from)}</div></div>`)}</div>`,
    ),
  };
}
function dashboard(r) {
  const from = text(r);
  const dark = r.chance(0.35);
  return {
    size: [1280, r.of([720, 860])],
    html: page(
      `background:${dark ? '#15171c' : '#eef0f4'};color:${dark ? '#ccc' : '#333'};font:15px/1.4 ${font(r)};display:flex;height:100vh;overflow:hidden`,
      `<div style="width:210px;background:${r.of(['#1f2937', '#fff', r.colour([20, 45])])};color:#9aa;padding:16px">${r.times(7, 14, () => `<div style="padding:8px">${icon(r)} ${words(r, 1, 2, from)}</div>`)}</div>
       <div style="flex:1;padding:20px;display:grid;grid-template-columns:repeat(${r.whole(2, 4)},1fr);gap:16px;align-content:start">${r.times(5, 10, () => `<div style="background:${dark ? '#1f2229' : '#fff'};border-radius:8px;padding:14px;min-height:110px">${words(r, 1, 3, from)}<div style="font-size:30px">${amount(r)}</div>${r.chance(0.5) ? `<svg width="200" height="60">${r.times(8, 14, (i) => `<rect x="${i * 14}" y="${r.whole(0, 50)}" width="9" height="60" fill="#4a90d9"/>`)}</svg>` : ''}</div>`)}</div>`,
    ),
  };
}
function dialog(r) {
  const from = text(r);
  return {
    size: [r.whole(480, 800), r.whole(320, 560)],
    html: page(
      `background:${r.of(['#888', '#dfe3e8', '#333', r.colour([30, 80])])};font:17px/1.45 ${font(r)};display:grid;place-content:center;height:100vh`,
      `<div style="background:${r.of(['#fff', '#f8f8f8', '#2b2b2b'])};color:#777;border-radius:${r.of([0, 6, 14])}px;padding:26px;width:380px;box-shadow:0 8px 40px #0007"><b style="font-size:1.2em">${words(r, 2, 5, from)}</b><p>${words(r, 6, 26, from)}</p>${r.chance(0.5) ? r.times(1, 3, () => `<div style="border:1px solid #999;border-radius:4px;padding:8px;margin:8px 0">${words(r, 0, 2, from)}&nbsp;</div>`) : ''}<div style="text-align:right">${r.times(1, 2, () => button(r, from))}</div></div>`,
    ),
  };
}

function emblem(r) {
  const side = r.whole(200, 420);
  const shape = () => r.of([
    `<circle cx="${r.whole(20, 80)}" cy="${r.whole(20, 80)}" r="${r.whole(8, 45)}" fill="${r.colour()}"/>`,
    `<rect x="${r.whole(5, 60)}" y="${r.whole(5, 60)}" width="${r.whole(10, 60)}" height="${r.whole(10, 60)}" rx="${r.whole(0, 20)}" fill="${r.colour()}" transform="rotate(${r.whole(0, 90)} 50 50)"/>`,
    `<polygon points="50,${r.whole(4, 30)} ${r.whole(60, 96)},${r.whole(55, 95)} ${r.whole(4, 40)},${r.whole(55, 95)}" fill="${r.colour()}"/>`,
    `<path d="M${r.whole(0, 50)} ${r.whole(30, 90)}Q50 ${r.whole(-20, 120)} ${r.whole(55, 100)} ${r.whole(20, 90)}" stroke="${r.colour()}" stroke-width="${r.whole(3, 16)}" fill="none"/>`,
  ]);
  return {
    size: [side, side],
    html: page(`background:${r.of(['#fff', '#fff', '#000', r.colour()])}`, `<svg viewBox="0 0 100 100" width="${side}" height="${side}">${r.times(1, 5, shape)}${r.chance(0.35) ? `<text x="50" y="96" text-anchor="middle" font-size="14" font-weight="700" fill="${r.colour()}">${words(r, 1, 1).slice(0, 10)}</text>` : ''}</svg>`),
  };
}
function symbol(r) {
  const side = r.whole(200, 420);
  const glyphs = r.chance(0.5) ? [icon(r)] : [r.of(['🐶', '🐱', '🏠', '🚗', '🌳', '⚽', '🍕', '😀', '😢', '🎸', '🐘', '✈️', '🚲', '🌞', '👩', '🦒', '🐎', '🍎', '⛵', '🎂'])];
  return {
    size: [side, side],
    html: page(`background:${r.of(['#fff', '#fff', '#111', r.colour()])};display:grid;place-content:center;height:100vh;color:${r.colour()};font-size:${Math.round(side * (0.4 + r.next() * 0.5))}px;line-height:1`, glyphs.join('')),
  };
}

/** A photograph (JPEG, base64) with words over it, or with a frame: still a photograph. */
export function meme(r, jpeg) {
  const [width, height] = r.of([[500, 500], [640, 480], [480, 600]]);
  const from = text(r);
  const line = (edge) => `<div style="position:absolute;${edge}:3%;width:100%;text-align:center;font:900 ${r.whole(24, 54)}px/1.1 ${r.of(['Impact', 'Lato', 'sans-serif'])};color:#fff;-webkit-text-stroke:2px #000">${words(r, 1, 6, from).toUpperCase()}</div>`;
  const frame = r.chance(0.3) ? `border:${r.whole(4, 40)}px solid ${r.of(['#fff', '#000', r.colour()])};` : '';
  return {
    size: [width, height],
    html: page('', `<div style="position:relative;width:${width}px;height:${height}px;${frame}background:url(data:image/jpeg;base64,${jpeg}) center/100% 100%">${frame ? '' : line('top')}${r.chance(0.6) ? line('bottom') : ''}</div>`),
  };
}

/** Source, kind, and how it is drawn. */
export const TEMPLATES = {
  book: ['text', book], letter: ['text', letter], newspaper: ['text', newspaper], receipt: ['text', receipt],
  'code-dark': ['text', code(true)], 'code-light': ['text', code(false)], form: ['text', form], table: ['text', table],
  slide: ['text', slide], sign: ['text', sign],
  bars: ['chart', bars], lines: ['chart', lines], scatter: ['chart', scatter], pie: ['chart', pie], flow: ['chart', flow], map: ['chart', map],
  settings: ['interface', settings], chat: ['interface', chat], desktop: ['interface', desktop], website: ['interface', website],
  dashboard: ['interface', dashboard], dialog: ['interface', dialog],
  emblem: ['drawing', emblem], symbol: ['drawing', symbol],
};
