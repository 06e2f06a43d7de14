// Somebody makes the first admin by the setup link, signs out and in, lets another in, makes a key and a token, looks at
// the log and signs out, in a real browser, in both sizes and both schemes. Prints everything that is wrong.
//
//     node people.mjs '{"base": "http://127.0.0.1:1", "setup": "/setup?token=…", "name": "ada", "password": "…", "shots": "artifacts", "chromium": "chromium"}'

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const { base, setup, name, password, shots, chromium: executablePath } = JSON.parse(process.argv[2]);
const installed = createRequire(`${process.env.SEAMWATCH_TEST_MODULES}/`);
const { chromium } = installed('playwright-core');

const sizes = { 1440: { width: 1440, height: 900 }, 390: { width: 390, height: 844 } };
const quiet = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

mkdirSync(shots, { recursive: true });
const browser = await chromium.launch({ executablePath, headless: true, args: quiet });
const problems = [];
const seen = [];
let first = true;
let round = 0;

for (const [width, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ['light', 'dark']) {
    round += 1;
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const problem = (what) => problems.push(`${page.url()} at ${width}, ${colorScheme}: ${what}`);
    page.on('console', (message) => message.type() === 'error' && problem(`console: ${message.text()}`));
    page.on('pageerror', (error) => problem(`exception: ${error}`));
    page.on('response', (response) => response.status() >= 400 && problem(`${response.status()} for ${response.url()}`));
    const look = async (what) => {
      await page.evaluate(() => document.fonts.ready);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) problem(`${wide} px wider than the screen`);
      if ((await page.locator('h1').count()) !== 1) problem('not one first heading');
      const unnamed = await page.evaluate(() =>
        [...document.querySelectorAll('input:not([type=hidden]):not([aria-hidden]), select')].filter((field) => !field.labels.length && !field.ariaLabel).length);
      if (unnamed) problem(`${unnamed} fields without a label`);
      await page.screenshot({ path: `${shots}/${what}-${width}-${colorScheme}.png`, fullPage: true });
      seen.push(what);
    };
    const expect = async (what, is) => { if (!(await is)) problem(`expected: ${what}`); };

    if (first) {
      await page.goto(base + setup);
      await look('setup');
      await page.fill('[name=name]', name);
      await page.fill('[name=password]', password);
      await page.click('text=Make admin');
      await expect('signed in after the setup', page.locator('.me b', { hasText: name }).isVisible());
      await page.click('text=Sign out');
      first = false;
    }
    await page.goto(`${base}/keys`);
    await expect('the way to the login', page.url().startsWith(`${base}/login?next=`));
    await look('login');
    await page.fill('[name=name]', name);
    await page.fill('[name=password]', password);
    await page.click('button:has-text("Sign in")');
    await expect('on to the page that was asked for', page.url() === `${base}/keys`);
    const cookie = (await context.cookies()).find((one) => one.name === '__Host-seamwatch');
    await expect('a cookie for this host and no script', cookie?.httpOnly && cookie.secure && cookie.sameSite === 'Lax' && cookie.path === '/');
    await expect('scripts see no cookie', (await page.evaluate(() => document.cookie)) === '');

    await page.fill('[name=name]', `shop-${round}0`);
    await page.fill('[name=integration]', `stripe-${round}`);
    await page.click('text=Make key');
    await expect('the key in the clear', page.locator('.shown code', { hasText: /^sw_ing_/ }).isVisible());
    await look('keys-made');
    await page.goto(`${base}/keys`);
    await expect('it is not shown again', (await page.locator('text=sw_ing_').count()) === 0);
    await look('keys');

    await page.goto(`${base}/people`);
    await page.fill('form.row [name=name]', `vera${round}`);
    await page.fill('[name=display]', 'Vera');
    await page.click('text=Let in');
    await expect('a link to hand over', page.locator('.shown code').isVisible());
    const link = await page.locator('.shown code').textContent();
    await look('people');
    const other = await browser.newContext({ viewport, colorScheme });
    const guest = await other.newPage();
    await guest.goto(link);
    await guest.screenshot({ path: `${shots}/password-${width}-${colorScheme}.png`, fullPage: true });
    await guest.fill('[name=password]', 'four other plain words');
    await guest.click('text=Set password');
    await expect('the guest is in', guest.locator('.me b', { hasText: `vera${round}` }).isVisible());
    await other.close();

    await page.goto(`${base}/account`);
    await page.fill('form.row [name=name]', 'nightly report');
    await page.click('text=Make token');
    await expect('the token in the clear', page.locator('.shown code', { hasText: /^sw_api_/ }).isVisible());
    await look('account');
    await page.goto(`${base}/audit`);
    await expect('the log hangs together', page.locator('text=hang together').isVisible());
    await look('audit');
    await page.click('text=Sign out');
    await expect('at the login', page.url() === `${base}/login`);
    await page.goto(`${base}/`);
    await expect('signed out', page.url() === `${base}/login`);
    await context.close();
  }
}

await browser.close();
console.log(JSON.stringify({ seen: [...new Set(seen)], problems }));
