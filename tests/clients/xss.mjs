// Opens pages in a real browser and prints whatever in them ran, was stopped by the policy, or asked another host. Mails
// are opened twice: as the server shows them, and by themselves, without any policy, as a careless reader would.
//
//     node xss.mjs '{"base": "http://127.0.0.1:1", "pages": ["/"], "mails": ["/mail/1/html"], "chromium": "chromium"}'

import { createRequire } from 'node:module';

const { base, pages, mails, chromium: executablePath } = JSON.parse(process.argv[2]);
const installed = createRequire(`${process.env.SEAMWATCH_TEST_MODULES}/`);
const { chromium } = installed('playwright-core');

const quiet = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const browser = await chromium.launch({ executablePath, headless: true, args: quiet });
const context = await browser.newContext({ reducedMotion: 'reduce' });
const harm = [];
let where = '';

await context.exposeBinding('hit', (_, what) => harm.push(`${where}: ran: ${what}`));
await context.addInitScript(() => {
  document.addEventListener('securitypolicyviolation', (event) => {
    window.hit(`stopped by the policy: ${event.violatedDirective} ${event.sample} ${event.blockedURI}`);
  });
});
// What asks another host is told, and goes nowhere.
await context.route((url) => !url.href.startsWith(base) && url.protocol.startsWith('http'), (route) => {
  harm.push(`${where}: asked ${route.request().url()}`);
  return route.abort();
});

const page = await context.newPage();
page.on('dialog', (dialog) => {
  harm.push(`${where}: a dialog: ${dialog.message()}`);
  dialog.dismiss();
});

// Moves the pointer and the focus over what reacts to them.
async function touch() {
  await page.evaluate(() => {
    for (const element of document.querySelectorAll('a, button, input, summary, [tabindex], [title]')) {
      element.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
      element.focus?.({ preventScroll: true });
    }
    const bad = [...document.querySelectorAll('a[href], form[action], iframe[src], [style], img, object, embed, script')].filter(
      (element) => {
        const target = element.getAttribute('href') ?? element.getAttribute('action') ?? element.getAttribute('src') ?? '';
        return /^\s*(javascript|data|vbscript):/i.test(target) && !element.matches('link, img');
      },
    );
    for (const element of bad) window.hit(`a link that would run: ${element.outerHTML.slice(0, 200)}`);
  });
}

let opened = 0;
for (const path of [...pages, ...mails]) {
  where = path;
  const answer = await page.goto(base + path, { waitUntil: 'load' });
  if (answer.status() !== 200) harm.push(`${path}: answered ${answer.status()}`);
  await touch();
  opened += 1;
}
for (const path of mails) {
  where = `${path} without a policy`;
  const html = await (await fetch(base + path)).text();
  await page.goto('about:blank');
  await page.setContent(html, { waitUntil: 'load' });
  await touch();
  opened += 1;
}

// That this would see harm is seen too.
where = 'control';
const before = harm.length;
await page.goto('about:blank');
await page.setContent('<img src=x onerror="hit(1)"><img src="http://evil.example/x">', { waitUntil: 'load' });
await page.waitForTimeout(200);
const control = harm.splice(before);

await browser.close();
console.log(JSON.stringify({ opened, harm, control }));
