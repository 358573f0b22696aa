// Swagger UI at /docs/ in headless Chromium, as a person would use it: fill in, execute, read the answer.
//
// Nothing may be asked of another host, no content policy may be violated, and the console has to stay silent.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { chromium } = createRequire(`${process.env.NODE_MODULES}/`)("playwright-core");

// Without these, Chromium asks for updates in the background, which is no traffic of the page's.
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const SCREENSHOT = process.env.SCREENSHOT;

let passed = 0;
let failed = 0;

async function check(name, test) {
  try {
    await test();
    passed += 1;
  } catch (error) {
    failed += 1;
    console.log(`FAILED browser: ${name}\n    ${error.stack.split("\n").slice(0, 12).join("\n    ")}`);
  }
}

// Starts the service with its sandbox; resolves to the process, its URL and the table of callers that it prints.
async function start() {
  const clean = Object.entries(process.env).filter(([name]) => !/^(AWS|STS_VERIFY)_|_proxy$/i.test(name));
  const environment = { ...Object.fromEntries(clean), STS_VERIFY_LOG_FORMAT: "json", STS_VERIFY_STOP_DELAY: "0s" };
  const service = spawn(process.env.STS_VERIFY_BIN, ["serve", "--sandbox", "--listen", "127.0.0.1:0"], {
    env: environment, stdio: ["ignore", "pipe", "inherit"],
  });
  const table = [];
  const lines = createInterface({ input: service.stdout });
  const address = await new Promise((resolve, reject) => {
    lines.on("close", () => reject(new Error("the service did not start")));
    lines.on("line", (line) => {
      table.push(line);
      const event = line.startsWith("{") ? JSON.parse(line) : {};
      if (event.message === "listening") resolve(event.address);
    });
  });
  return { service, url: `http://${address}`, table };
}

// The access key of the row that is described so.
function keyOf(table, words) {
  const row = table.find((line) => line.includes(words));
  assert.ok(row, `the table has no row for: ${words}`);
  return row.split(/\s+/)[0];
}

// Everything that the page did which it should not have.
function watch(page, url) {
  const seen = { console: [], strangers: [], policy: [] };
  page.on("console", (message) => {
    // Chromium notes every answer of 400 and above; the one that is asked for here is meant.
    const meant = message.location().url === `${url}/verify` && /status of 400/.test(message.text());
    if (["error", "warning"].includes(message.type()) && !meant) seen.console.push(message.text());
  });
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(`${url}/`) && !/^(data|blob|about):/.test(target)) seen.strangers.push(target);
  });
  return seen;
}

// Chooses an example of the request, executes it, and returns what Swagger UI shows as the answer.
async function execute(page, operation, key) {
  await operation.locator(".examples-select select").first().selectOption(key);
  const body = operation.locator("textarea.body-param__text");
  await page.waitForFunction(([area, text]) => area.value.includes(text), [await body.elementHandle(), key]);
  const answered = page.waitForResponse((response) => response.url().endsWith("/verify"));
  await operation.locator("button.execute").click();
  const response = await answered;
  const shown = operation.locator("table.live-responses-table tbody td.response-col_status").first();
  await shown.filter({ hasText: String(response.status()) }).waitFor();
  const text = await operation.locator("table.live-responses-table tbody .highlight-code code").first().innerText();
  return { status: response.status(), shown: await shown.innerText(), text };
}

async function browse(page, url, table) {
  await page.goto(`${url}/docs/`);
  const operation = page.locator("#operations-verify-verify");
  await operation.locator(".opblock-summary-control, .opblock-summary").first().click();
  await operation.locator(".opblock-body").waitFor();
  const tryOut = operation.locator("button.try-out__btn");
  if (/try it out/i.test(await tryOut.innerText())) await tryOut.click();
  await operation.locator("textarea.body-param__text").waitFor();

  await check("an IAM user: 200", async () => {
    const { status, shown, text } = await execute(page, operation, keyOf(table, "an IAM user, with a path"));
    assert.equal(status, 200);
    assert.match(shown, /^200/);
    assert.match(text, /"aws_res"[^]*"Arn": "arn:aws:iam::\d{12}:user\//);
  });
  await check("a session that is over: 400 ExpiredToken", async () => {
    const { status, shown, text } = await execute(page, operation, keyOf(table, "ExpiredToken: "));
    assert.equal(status, 400);
    assert.match(shown, /^400/);
    assert.match(text, /"error_code": "ExpiredToken"/);
  });
  await operation.evaluate((element) => element.scrollIntoView());
  await page.screenshot({ path: SCREENSHOT });
}

async function run({ url, table }) {
  const profile = mkdtempSync(join(tmpdir(), "sts-verify-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM, args: FLAGS, headless: true, viewport: { width: 1280, height: 1500 },
  });
  try {
    const page = await context.newPage();
    const seen = watch(page, url);
    await page.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) =>
        window.violations.push(`${event.violatedDirective}: ${event.blockedURI} at ${event.sourceFile}`));
    });
    await browse(page, url, table);
    seen.policy = await page.evaluate(() => window.violations);
    await check("no error or warning in the console", () => assert.deepEqual(seen.console, []));
    await check("no violation of the content policy", () => assert.deepEqual(seen.policy, []));
    await check("no request to another host", () => assert.deepEqual(seen.strangers, []));
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

const started = await start();
try {
  await check("the page can be used", () => run(started));
} finally {
  started.service.kill("SIGTERM");
}
const ended = failed ? `${failed} failed` : "all good";
console.log(`browser: ${passed + failed} cases, ${ended}; screenshot in ${SCREENSHOT}`);
if (process.env.SUITE_RESULT) writeFileSync(process.env.SUITE_RESULT, `${passed} ${failed}\n`);
process.exitCode = failed ? 1 : 0;
