/**
 * How long the extension holds up a page of ten thousand pictures: the tasks of the page's main thread, before the button is
 * pressed and after, in processor time (a busy machine makes them no longer), and how many pictures were described meanwhile.
 *
 *   node hostile-figures.mjs [SECONDS] [PICTURES]
 */
import { openWithExtension } from './extension-chromium.mjs';
import { hostileSite } from './hostile-site.mjs';

const seconds = Number(process.argv[2] ?? 30);
const count = Number(process.argv[3] ?? 10_000);
const LONG = 50_000;

const site = await hostileSite();
const chromium = await openWithExtension();
const { session } = chromium;

/** Microseconds of every task of the page's main thread while `act` runs. */
async function tasksOf(act) {
  const events = [];
  const collect = ({ value }) => events.push(...value);
  session.on('Tracing.dataCollected', collect);
  const ended = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'toplevel'] },
  });
  await act();
  await session.send('Tracing.end');
  await ended;
  session.off('Tracing.dataCollected', collect);
  // Of all pages' main threads the busiest: the extension's own pages have next to nothing to do there.
  const mains = events.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const each = mains.map(({ pid, tid }) => events.filter((it) => /RunTask$/.test(it.name) && it.pid === pid && it.tid === tid && it.tdur > 0).map(({ tdur }) => tdur));
  const sum = (times) => times.reduce((all, time) => all + time, 0);
  return each.sort((a, b) => sum(b) - sum(a))[0] ?? [];
}

try {
  for (const churning of [false, true]) {
    const page = await chromium.context.newPage();
    const flood = Array.from({ length: count }, (_, i) => `<img src="/photos/cat.jpg?${i % 50}" width="120" height="90">`).join('');
    await page.goto(site.page(flood));
    await page.bringToFront();
    if (churning) {
      await page.evaluate(() => {
        let n = 0;
        setInterval(() => {
          for (let i = 0; i < 20; i += 1) document.body.className = `c${(n += 1)}`;
        }, 50);
      });
    }
    await page.waitForTimeout(3000);
    for (const pressed of [false, true]) {
      const tasks = await tasksOf(async () => {
        if (pressed) await chromium.press(page);
        await page.waitForTimeout(1000 * seconds);
      });
      const done = await page.evaluate(() => document.querySelectorAll('[data-soli]').length);
      const long = tasks.filter((time) => time >= LONG).length;
      const longest = tasks.sort((a, b) => b - a).slice(0, 5).map((time) => Math.round(time / 1000)).join(', ');
      const busy = tasks.reduce((sum, time) => sum + time, 0) / 1e6;
      console.log(
        `${pressed ? 'pressed' : 'not pressed'}${churning ? ', body changes 400 times a second' : ''}: ${tasks.length} tasks in ${seconds} s, ` +
          `${busy.toFixed(1)} s in all, ${long} of 50 ms or more, longest ${longest} ms, ${done} described`,
      );
    }
    await page.close();
  }
} finally {
  await chromium.close();
  await site.close();
}
