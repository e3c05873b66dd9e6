import assert from "node:assert/strict";
import { AwakeClock, despitePauses, eventually } from "../../test/fakes/testing.ts";
import {
  answerOn,
  assertServes,
  close,
  GOOD,
  head,
  withWebhook,
} from "../../test/fakes/webhook.ts";
import { ADMISSION_LIMITS } from "./body.ts";

Deno.test("a body over the limit is refused, promised or not, and the next one is answered", async () => {
  await withWebhook({}, async (hooked) => {
    const large = new Uint8Array(ADMISSION_LIMITS.bodyBytes + 1).fill(0x20);
    const refused = await hooked.post(large);
    assert.equal(refused.status, 413);
    await refused.body?.cancel();
    const chunked = ReadableStream.from((function* () {
      for (let sent = 0; sent < 2 * large.length; sent += 1 << 16) {
        yield new Uint8Array(1 << 16).fill(0x20);
      }
    })());
    const response = await hooked.post(chunked).catch(() => undefined);
    assert.ok(response === undefined || response.status === 413);
    await response?.body?.cancel();
    const connection = await hooked.connect(head(1e12), "{");
    assert.match(await answerOn(connection), /^HTTP\/1\.1 413 /);
    await assertServes(hooked);
  });
});

/** What a body says to be long: one that is read as a whole, and one that is read as it comes. */
const LENGTHS = [GOOD.length, 1 << 20];

Deno.test("who sends slowly is given up in time, and holds up nobody", async () => {
  for (const length of LENGTHS) await assertGivesUp(length);
});

async function assertGivesUp(length: number): Promise<void> {
  await withWebhook({ bodyTimeout: 1_000 }, async (hooked) => {
    const started = performance.now();
    using clock = new AwakeClock();
    const slow = await hooked.connect(head(length), GOOD.slice(0, 20));
    const answer = answerOn(slow);
    await assertServes(hooked);
    assert.ok(clock.monotonic() < 1_000, "the others are not held up");
    const dripping = setInterval(() => void slow.write(Uint8Array.of(0x20)).catch(() => {}), 50);
    try {
      assert.match(await answer, /^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(dripping);
    }
    const took = performance.now() - started;
    assert.ok(took > 950 && clock.monotonic() < 5_000, `${took} ms`);
    assert.equal(hooked.metrics.requests.invalid, 1);
    await assertServes(hooked);
  });
}

Deno.test("who began later has as much time as who began first", () =>
  despitePauses(async () => {
    await withWebhook({ bodyTimeout: 1_500 }, async (hooked) => {
      const first = await hooked.connect(head(GOOD.length), GOOD.slice(0, 20));
      await new Promise((resolve) => setTimeout(resolve, 700));
      const second = await hooked.connect(head(GOOD.length), GOOD.slice(0, 20));
      assert.match(await answerOn(first), /^HTTP\/1\.1 408 /);
      await second.write(new TextEncoder().encode(GOOD.slice(20)));
      assert.match(await answerOn(second), /^HTTP\/1\.1 200 /);
    });
  }));

Deno.test("who goes away in the middle leaves nothing behind", async () => {
  await withWebhook({ inFlight: 2 }, async (hooked) => {
    for (let turn = 1; turn <= 6; turn++) {
      const length = LENGTHS[turn % LENGTHS.length] ?? 0;
      const connection = await hooked.connect(head(length), GOOD.slice(0, 20));
      close(connection);
      await eventually(() => hooked.metrics.requests.invalid === turn);
    }
    const garbage = await hooked.connect("\0\0not HTTP at all\r\n\r\n");
    assert.doesNotMatch(await answerOn(garbage).catch(() => ""), /200/);
    await assertServes(hooked);
    assert.deepEqual(hooked.lines, []);
  });
});

Deno.test("one too many is told at once to come again", async () => {
  await withWebhook({ inFlight: 3 }, async (hooked) => {
    const held: Deno.TlsConn[] = [];
    // Another one for each that came in while the question was being answered.
    const busy = await eventually(async () => {
      held.push(await hooked.connect(head(GOOD.length), GOOD.slice(0, 20)));
      const response = await hooked.post(GOOD);
      await response.body?.cancel();
      return response.status === 429 ? response : undefined;
    });
    assert.equal(busy.headers.get("retry-after"), "1");
    const health = await hooked.connect("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.match(await answerOn(health), /^HTTP\/1\.1 200 /);
    const statuses = await Promise.all(held.map(async (connection) => {
      await connection.write(new TextEncoder().encode(GOOD.slice(20))).catch(() => {});
      return /^HTTP\/1\.1 (\d+) /.exec(await answerOn(connection))?.[1];
    }));
    assert.equal(statuses.filter((status) => status === "200").length, 3);
    assert.ok(statuses.every((status) => status === "200" || status === "429"), statuses.join());
    await assertServes(hooked);
    assert.ok(hooked.metrics.requests.busy >= 1);
  });
});

Deno.test("all bodies together are held within their limit", async () => {
  await withWebhook({ bufferedBytes: 100_000 }, async (hooked) => {
    const padding = " ".repeat(60_000);
    const body = padding + GOOD;
    const first = await hooked.connect(head(body.length), padding);
    // The second would go over it once the first is read; a small one still fits.
    await eventually(async () => {
      const response = await hooked.post(body);
      await response.body?.cancel();
      return response.status === 429;
    });
    await assertServes(hooked);
    await first.write(new TextEncoder().encode(GOOD));
    assert.match(await answerOn(first), /^HTTP\/1\.1 200 /);
    const again = await hooked.post(body);
    assert.equal(again.status, 200);
    await again.body?.cancel();
  });
});

Deno.test("of many large bodies at once some are answered and the others told to come again", async () => {
  await withWebhook({}, async (hooked) => {
    const body = new TextEncoder().encode(" ".repeat(1 << 20) + GOOD);
    const statuses = await Promise.all(Array.from({ length: 60 }, async () => {
      const response = await hooked.post(body);
      await response.body?.cancel();
      return response.status;
    }));
    assert.ok(statuses.includes(200));
    assert.ok(statuses.every((status) => status === 200 || status === 429), statuses.join());
    await assertServes(hooked);
  });
});
