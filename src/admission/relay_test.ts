import assert from "node:assert/strict";
import { eventually } from "../../test/fakes/testing.ts";
import type { Clock } from "../std/mod.ts";
import { MAX_CONNECTIONS, Relay, type RelayOptions, type RelayTarget } from "./relay.ts";

/** A TCP server that lets the test hold each connection that comes in. */
class Peer implements RelayTarget, AsyncDisposable {
  readonly accepted: Deno.TcpConn[] = [];
  open = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #running = this.#run();

  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  begun(): void {
    this.open++;
  }

  ended(): void {
    this.open--;
  }

  async #run(): Promise<void> {
    for await (const conn of this.#listener) this.accepted.push(conn);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#running;
    this.accepted.forEach(closed);
  }
}

function closed(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // The test has closed it.
  }
}

/** Time that the test moves; a sleep takes a few real milliseconds. */
class HandClock implements Clock {
  time = 0;
  now = () => new Date(this.time);
  monotonic = () => this.time;
  sleep = () => new Promise<void>((resolve) => setTimeout(resolve, 5));
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);

async function readAll(conn: Deno.TcpConn): Promise<string> {
  return text(await new Response(conn.readable).bytes());
}

/** What comes next, `null` at the end, an error's name when the connection broke. */
async function next(conn: Deno.TcpConn): Promise<string | null> {
  const buffer = new Uint8Array(100);
  try {
    const size = await conn.read(buffer);
    return size === null ? null : text(buffer.subarray(0, size));
  } catch (error) {
    return (error as Error).name;
  }
}

async function relayed(
  action: (relay: Relay, peer: Peer, connect: () => Promise<Deno.TcpConn>) => Promise<void>,
  options: Partial<RelayOptions> = {},
): Promise<void> {
  await using peer = new Peer();
  const relay = new Relay({ hostname: "127.0.0.1", port: 0, target: () => peer, ...options });
  const clients: Deno.TcpConn[] = [];
  try {
    await action(relay, peer, async () => {
      const client = await Deno.connect({ hostname: "127.0.0.1", port: relay.address.port });
      clients.push(client);
      return client;
    });
  } finally {
    clients.forEach(closed);
    relay.close();
    relay.breakOff();
    await relay.finished;
  }
}

Deno.test("bytes go both ways, and one way may end before the other", () =>
  relayed(async (relay, peer, connect) => {
    const client = await connect();
    await client.write(bytes("question"));
    const server = await eventually(() => peer.accepted[0]);
    assert.equal(await next(server), "question");
    await client.closeWrite();
    assert.equal(await next(server), null);
    await server.write(bytes("answer"));
    server.close();
    assert.equal(await readAll(client), "answer");
    await eventually(() => relay.connections === 0 && peer.open === 0);
  }));

Deno.test("many bytes arrive whole while the reader is slow, and its writer is held up", () =>
  relayed(async (_relay, peer, connect) => {
    const client = await connect();
    const server = await eventually(() => peer.accepted[0]);
    const total = 64 << 20;
    let written = 0;
    const writing = (async () => {
      const piece = new Uint8Array(1 << 20).fill(7);
      while (written < total) written += await client.write(piece);
      await client.closeWrite();
    })();
    let before = -1;
    // Until nothing more fits into the kernel's buffers.
    await eventually(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return written === before ? true : void (before = written);
    });
    assert.ok(written < total, "what nobody reads is not taken");
    let read = 0;
    for await (const chunk of server.readable) {
      assert.ok(chunk.every((byte) => byte === 7));
      read += chunk.length;
    }
    await writing;
    assert.equal(read, written);
  }));

Deno.test("a connection goes where connections went when it began", async () => {
  await using other = new Peer();
  let target: RelayTarget | undefined;
  await relayed(async (_relay, peer, connect) => {
    target = peer;
    const first = await connect();
    await first.write(bytes("1"));
    const old = await eventually(() => peer.accepted[0]);
    target = other;
    const second = await connect();
    await second.write(bytes("2"));
    await first.write(bytes("3"));
    assert.equal(await next(await eventually(() => other.accepted[0])), "2");
    let got = "";
    while (got.length < 2) got += await next(old);
    assert.equal(got, "13");
    assert.deepEqual([peer.open, other.open], [1, 1]);
  }, { target: () => target ?? assert.fail() });
});

Deno.test("a half that breaks takes the other with it", () =>
  relayed(async (relay, peer, connect) => {
    const [first, second] = [await connect(), await connect()];
    await eventually(() => peer.accepted.length === 2);
    first.close();
    assert.equal(await next(peer.accepted[0] ?? assert.fail()), null);
    peer.accepted[0]?.close();
    peer.accepted[1]?.close();
    assert.equal(await next(second), null);
    second.close();
    await eventually(() => relay.connections === 0);
  }));

Deno.test("where nobody listens the client is told so, and the next one is served", async () => {
  const dead = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = dead.addr;
  dead.close();
  let target: RelayTarget | undefined;
  await relayed(async (_relay, peer, connect) => {
    target = { address, begun() {}, ended() {} };
    assert.equal(await next(await connect()), null);
    target = peer;
    await (await connect()).write(bytes("hello"));
    assert.equal(await next(await eventually(() => peer.accepted[0])), "hello");
  }, { target: () => target ?? assert.fail() });
});

Deno.test("a silent connection is closed after five minutes, a half ended one after seconds", async () => {
  const clock = new HandClock();
  await relayed(async (relay, peer, connect) => {
    const [silent, pinging, half] = [await connect(), await connect(), await connect()];
    const halfServer = await eventually(() => peer.accepted[2]);
    for (; clock.time < 290_000; clock.time += 30_000) {
      await pinging.write(bytes("ping"));
      const server = peer.accepted[1] ?? assert.fail();
      assert.equal(await next(server), "ping");
    }
    assert.equal(relay.connections, 3);
    await half.closeWrite();
    assert.equal(await next(halfServer), null);
    clock.time += 9_000;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(relay.connections, 2, "the silent one is gone");
    assert.equal(await next(silent), null);
    clock.time += 2_000;
    await eventually(() => relay.connections === 1);
    assert.equal(await next(half), null);
  }, { clock });
});

Deno.test("over the limit the connection that was silent for longest is closed", async () => {
  const clock = new HandClock();
  await relayed(async (relay, peer, connect) => {
    const first = await connect();
    const second = await connect();
    await eventually(() => peer.accepted.length === 2);
    for (let count = 2; count < MAX_CONNECTIONS; count++) await connect();
    await eventually(() => peer.accepted.length === MAX_CONNECTIONS);
    clock.time += 1_000;
    await first.write(bytes("ping"));
    assert.equal(await next(peer.accepted[0] ?? assert.fail()), "ping");
    await connect();
    assert.equal(await next(second), null);
    await eventually(() => relay.connections === MAX_CONNECTIONS);
    await first.write(bytes("still there"));
    assert.equal(await next(peer.accepted[0] ?? assert.fail()), "still there");
  }, { clock });
});

Deno.test("a closed relay takes nobody in, and ends with its last connection", () =>
  relayed(async (relay, peer, connect) => {
    const client = await connect();
    await client.write(bytes("1"));
    const server = await eventually(() => peer.accepted[0]);
    relay.close();
    relay.close();
    await eventually(() =>
      connect().then(closed, (e) => e instanceof Deno.errors.ConnectionRefused)
    );
    await client.write(bytes("2"));
    let got = "";
    while (got.length < 2) got += await next(server);
    assert.equal(got, "12");
    let ended = false;
    void relay.finished.then(() => ended = true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(ended, false);
    client.close();
    server.close();
    await relay.finished;
  }));
