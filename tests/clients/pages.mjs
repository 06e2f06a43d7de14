// Opens pages in a real browser, in both sizes and both schemes, and prints everything that is wrong with them.
//
//     node pages.mjs '{"base": "http://127.0.0.1:1", "pages": [["overview", "/"]], "shots": "artifacts", "chromium": "chromium"}'

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const { base, pages, shots, chromium: executablePath } = JSON.parse(process.argv[2]);
const installed = createRequire(`${process.env.SEAMWATCH_TEST_MODULES}/`);
const { chromium } = installed('playwright-core');

const sizes = { 1440: { width: 1440, height: 900 }, 390: { width: 390, height: 844 } };
const quiet = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

mkdirSync(shots, { recursive: true });
// Each launch has a fresh profile of its own.
const browser = await chromium.launch({ executablePath, headless: true, args: quiet });
const problems = [];
const opened = [];

for (const [width, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
    for (const [name, path] of pages) {
      const where = `${path} at ${width}, ${colorScheme}`;
      const page = await context.newPage();
      const problem = (what) => problems.push(`${where}: ${what}`);
      page.on('console', (message) => {
        if (message.type() === 'error') problem(`console: ${message.text()}`);
      });
      page.on('pageerror', (error) => problem(`exception: ${error}`));
      page.on('requestfailed', (request) => {
        // A stream that ends because its page is closed has not failed.
        if (!page.closing) problem(`request: ${request.url()} ${request.failure()?.errorText}`);
      });
      page.on('response', (response) => {
        if (response.status() >= 400) problem(`${response.status()} for ${response.url()}`);
        if (!response.url().startsWith(base) && !response.url().startsWith('data:')) {
          problem(`${response.url()} is not of this server`);
        }
      });
      const response = await page.goto(base + path, { waitUntil: 'load' });
      if (!response || response.status() !== 200) problem(`answered ${response?.status()}`);
      await page.evaluate(() => document.fonts.ready);
      // Live pages fetch themselves again; let that happen once.
      await page.waitForTimeout(400);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) problem(`${wide} px wider than the screen`);
      const title = await page.title();
      if (!title.trim()) problem('no title');
      const heading = await page.locator('h1').count();
      if (heading !== 1) problem(`${heading} first headings`);
      const ground = await page.evaluate(() => {
        const canvas = document.createElement('canvas').getContext('2d');
        const colour = [document.body, document.documentElement]
          .map((element) => getComputedStyle(element).backgroundColor)
          .find((one) => one !== 'rgba(0, 0, 0, 0)');
        canvas.fillStyle = colour ?? 'white';
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0) / 3;
      });
      if (colorScheme === 'light' ? ground < 160 : ground > 95) problem(`its ground is not ${colorScheme} (${ground})`);
      await page.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
      opened.push(where);
      page.closing = true;
      await page.close();
    }
    await context.close();
  }
}

await browser.close();
console.log(JSON.stringify({ opened, problems }));
