import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { ZarfError } from "./errors.ts";
import type { PushSource } from "./push_plan.ts";
import { pushImages, type PushOptions, type PushProgress } from "./registry_push.ts";

const CREDENTIALS = { username: "zarf-push", password: "geheim~!-" };
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** What a request is, in short: `PUT manifest app:1`. */
type Step = string;

/** What the registry does instead of its work, once or always. */
interface Fault {
  /** The steps it is done to. */
  readonly at: RegExp;
  readonly times: number;
  readonly answer?: readonly [status: number, text: string];
  /** The connection is cut after this many bytes of the request's body. */
  readonly cutAfter?: number;
}

/** The head of a request. */
interface Request {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
}

async function readHead(
  connection: Deno.TcpConn,
): Promise<{ request: Request; left: Uint8Array }> {
  let bytes = new Uint8Array();
  for (;;) {
    const text = String.fromCharCode(...bytes.subarray(0, 4_096));
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const [line = "", ...headers] = text.slice(0, end).split("\r\n");
      const [method = "", path = ""] = line.split(" ");
      const pairs = headers.map((each): [string, string] => {
        const [name = "", value = ""] = each.split(": ");
        return [name, value];
      });
      const request = { method, path, headers: new Headers(pairs) };
      return { request, left: bytes.subarray(end + 4) };
    }
    bytes = await readUpTo(connection, bytes, bytes.length + 1);
  }
}

/** `first` and what comes after it, until there are at least `size` bytes. */
async function readUpTo(
  connection: Deno.TcpConn,
  first: Uint8Array,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts = [first];
  for (let held = first.length; held < size;) {
    const buffer = new Uint8Array(65_536);
    const count = await connection.read(buffer);
    if (count === null) throw new Error("the client is gone");
    parts.push(buffer.subarray(0, count));
    held += count;
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** A registry on loopback, as far as a push needs one, which fails as it is told to. */
class Peer implements AsyncDisposable {
  readonly steps: Step[] = [];
  readonly blobs = new Set<string>();
  /** Type and digest by `repository:reference`. */
  readonly manifests = new Map<string, readonly [type: string, digest: string]>();
  /** Whether it copies blobs from one repository to another. */
  canMount = true;
  /** Called when a step begins; what it returns is waited for. */
  onStep: (step: Step) => unknown = () => {};
  /** Where an upload goes on. */
  location: (repository: string) => string | undefined = (name) => `/v2/${name}/blobs/uploads/1`;
  readonly #faults: { fault: Fault; left: number }[];
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #served: Promise<void>;

  constructor(...faults: Fault[]) {
    this.#faults = faults.map((fault) => ({ fault, left: fault.times }));
    this.#served = this.#serve();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** The steps that changed something or tried to. */
  get writes(): Step[] {
    return this.steps.filter((step) => !step.startsWith("HEAD"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    // The client has a connection for each request, which is the simplest of servers.
    for await (const connection of this.#listener) {
      running.push(
        this.#handle(connection).catch(() => {}).finally(() => connection.close()),
      );
    }
    await Promise.all(running);
  }

  async #handle(connection: Deno.TcpConn): Promise<void> {
    const { request, left } = await readHead(connection);
    const url = new URL(request.path, this.url);
    const [, repository = "", kind = "", reference = ""] =
      /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    const digest = url.searchParams.get("digest");
    const step = kind === "manifests"
      ? `${request.method} manifest ${repository}:${reference}`
      : `${request.method} blob ${repository}@${digest ?? reference}`;
    this.steps.push(step);
    await this.onStep(step);
    const fault = this.#faults.find(({ fault, left }) => left > 0 && fault.at.test(step));
    if (fault !== undefined) fault.left--;
    const size = Number(request.headers.get("content-length") ?? 0);
    const wanted = Math.min(size, fault?.fault.cutAfter ?? Infinity);
    const bytes = await readUpTo(connection, left, wanted);
    if (fault?.fault.cutAfter !== undefined) return;
    const [status, text = "", headers = {}] = fault?.fault.answer ??
      this.#work(request, { repository, kind, reference, digest }, url.searchParams, bytes);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const body = request.method === "HEAD" ? "" : text;
    const head = `HTTP/1.1 ${status} x\r\ncontent-length: ${text.length}\r\n${lines}\r\n`;
    await connection.write(new TextEncoder().encode(head + body));
  }

  #work(
    { method, headers }: Request,
    { repository, kind, reference, digest }: Record<string, string | null>,
    query: URLSearchParams,
    bytes: Uint8Array,
  ): [status: number, text?: string, headers?: Record<string, string>] {
    const { username, password } = CREDENTIALS;
    if (headers.get("authorization") !== `Basic ${btoa(`${username}:${password}`)}`) return [401];
    const name = `${repository}:${reference}`;
    if (kind === "manifests" && method === "HEAD") {
      const [type, found] = this.manifests.get(name) ?? [];
      const accepted = headers.get("accept")?.split(", ") ?? [];
      if (found === undefined || !accepted.includes(type ?? "")) return [404];
      return [200, "", { "docker-content-digest": found }];
    }
    if (kind === "manifests") {
      this.manifests.set(name, [headers.get("content-type") ?? "", digestOf(bytes)]);
      return [201];
    }
    if (method === "HEAD") return [this.blobs.has(`${repository}@${reference}`) ? 200 : 404];
    const from = `${query.get("from")}@${query.get("mount")}`;
    if (method === "POST" && this.canMount && this.blobs.has(from)) {
      this.blobs.add(`${repository}@${query.get("mount")}`);
      return [201];
    }
    if (method === "POST") {
      const location = this.location(repository ?? "");
      return [202, "", location === undefined ? {} : { location }];
    }
    if (digestOf(bytes) !== digest) return [400, '{"errors":[{"code":"DIGEST_INVALID"}]}'];
    this.blobs.add(`${repository}@${digest}`);
    return [201];
  }
}

/** Content by digest, in memory. */
class Content implements PushSource {
  /** Digests of the blobs that were opened. */
  readonly opened: Digest[] = [];
  /** What is given in the place of another digest's content. */
  readonly swapped = new Map<Digest, string>();
  readonly #bytes = new Map<Digest, Uint8Array>();

  add(content: unknown): { digest: Digest; size: number } {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    const bytes = new TextEncoder().encode(text);
    const digest = digestOf(bytes);
    this.#bytes.set(digest, bytes);
    return { digest, size: bytes.length };
  }

  /** An image of one layer. */
  image(layer: string): Digest {
    const config = this.add({ architecture: "amd64", layer: layer.slice(0, 5) });
    return this.add({ mediaType: MANIFEST, config, layers: [this.add(layer)] }).digest;
  }

  manifestBytes(digest: Digest): Promise<Uint8Array> {
    return Promise.resolve(this.#get(digest));
  }

  openBlob(digest: Digest) {
    this.opened.push(digest);
    const bytes = this.#get(digest);
    return Promise.resolve({
      size: bytes.length,
      stream: () => new Blob([bytes as BlobPart]).stream(),
    });
  }

  #get(digest: Digest): Uint8Array {
    const bytes = this.#bytes.get(digest);
    assert.ok(bytes, `no content ${digest}`);
    const swapped = this.swapped.get(digest);
    return swapped === undefined ? bytes : new TextEncoder().encode(swapped);
  }
}

/** Pushes the image as `app:1`, on a clock that does not wait. */
function push(peer: Peer, source: PushSource, digest: Digest, more: Partial<PushOptions> = {}) {
  return pushImages([{ repository: "app", tags: ["1"], digest }], {
    source,
    registryUrl: peer.url,
    credentials: CREDENTIALS,
    clock: new TestClock(),
    ...more,
  });
}

const LAYER = "layer ".repeat(100_000);

Deno.test("blobs go in before manifests, and an index after its children", async () => {
  await using peer = new Peer();
  const source = new Content();
  const child = source.image("x");
  const { digest } = source.add({ mediaType: INDEX, manifests: [{ digest: child, size: 1 }] });
  const result = await push(peer, source, digest);
  assert.deepEqual(result, { blobsSent: 2, blobsPresent: 0, manifestsSent: 2 });
  assert.deepEqual(peer.writes.slice(-2), [`PUT manifest app:${child}`, "PUT manifest app:1"]);
  assert.equal(peer.writes.filter((step) => step.includes("manifest")).length, 2);
  assert.deepEqual(peer.manifests.get("app:1"), [INDEX, digest]);
  assert.deepEqual(peer.manifests.get(`app:${child}`), [MANIFEST, child]);
});

Deno.test("a second push asks and sends nothing, and opens no file", async () => {
  await using peer = new Peer();
  const source = new Content();
  const digest = source.image("x");
  await push(peer, source, digest);
  peer.steps.length = 0;
  source.opened.length = 0;
  const progress: PushProgress[] = [];
  const result = await push(peer, source, digest, { onProgress: (step) => progress.push(step) });
  assert.deepEqual(result, { blobsSent: 0, blobsPresent: 2, manifestsSent: 0 });
  assert.deepEqual(peer.writes, []);
  assert.deepEqual(source.opened, []);
  assert.equal(progress.length, 2, "one for each blob");
  const last = progress.at(-1);
  assert.equal(last?.bytes, last?.totalBytes, "what is there counts as sent");
});

Deno.test("a layer of several images is sent once, wherever it was before", async (t) => {
  const rows: [name: string, before: string[], canMount: boolean, sent: number][] = [
    ["nowhere", [], true, 1],
    ["in the last one", ["c"], true, 0],
    ["in all", ["a", "b", "c"], true, 0],
    ["nowhere, and the registry does not copy", [], false, 3],
  ];
  for (const [name, before, canMount, sent] of rows) {
    await t.step(`it was ${name}`, async () => {
      await using peer = new Peer();
      peer.canMount = canMount;
      const source = new Content();
      const layer = source.add("shared");
      const repositories = ["a", "b", "c"];
      const images = repositories.map((repository) => {
        const config = source.add({ of: repository });
        const { digest } = source.add({ mediaType: MANIFEST, config, layers: [layer] });
        return { repository, tags: ["1"], digest };
      });
      for (const repository of before) peer.blobs.add(`${repository}@${layer.digest}`);
      const progress: PushProgress[] = [];
      const result = await pushImages(images, {
        ...{ source, registryUrl: peer.url, credentials: CREDENTIALS, clock: new TestClock() },
        onProgress: (step) => progress.push(step),
      });
      assert.equal(source.opened.filter((digest) => digest === layer.digest).length, sent);
      assert.equal(result.blobsSent, 3 + sent, "each has a configuration of its own");
      assert.equal(result.blobsPresent, 3 - sent);
      for (const repository of repositories) {
        assert.ok(peer.blobs.has(`${repository}@${layer.digest}`), repository);
      }
      assert.equal(progress.at(-1)?.bytes, progress.at(-1)?.totalBytes);
    });
  }
});

Deno.test("a tag that means another image is moved, and of another type is put again", async () => {
  await using peer = new Peer();
  const source = new Content();
  const [old, fresh] = [source.image("old"), source.image("new")];
  await push(peer, source, old);
  assert.equal((await push(peer, source, fresh)).manifestsSent, 1);
  assert.deepEqual(peer.manifests.get("app:1"), [MANIFEST, fresh]);
});

Deno.test("a tag that may not be moved keeps its meaning, and the image is there by its digest", async () => {
  const keepTagsOf = `${MANIFEST}, ${INDEX}`;
  for (const type of [MANIFEST, INDEX]) {
    await using peer = new Peer();
    const source = new Content();
    const [old, fresh] = [source.image("old"), source.image("new")];
    peer.manifests.set("app:1", [type, fresh]);
    const named: string[] = [];
    const options = { keepTagsOf, onNamed: (name: string) => void named.push(name) };
    assert.equal((await push(peer, source, old, options)).manifestsSent, 1);
    assert.deepEqual(peer.manifests.get("app:1"), [type, fresh]);
    assert.deepEqual(peer.manifests.get(`app:${old}`), [MANIFEST, old]);
    assert.deepEqual(named, [`app:${old}`]);
    assert.equal((await push(peer, source, old, options)).manifestsSent, 0);
    peer.manifests.delete("app:1");
    assert.equal((await push(peer, source, old, options)).manifestsSent, 1);
    assert.deepEqual(peer.manifests.get("app:1"), [MANIFEST, old], "nobody else has it");
    assert.equal(named.at(-1), "app:1");
  }
});

Deno.test("a tag that may not be moved is asked for until the registry says what it means", async () => {
  await using peer = new Peer({ at: /^HEAD manifest/, times: 2, answer: [500, ""] });
  const source = new Content();
  const [old, fresh] = [source.image("old"), source.image("new")];
  peer.manifests.set("app:1", [MANIFEST, fresh]);
  await push(peer, source, old, { keepTagsOf: MANIFEST });
  assert.deepEqual(peer.manifests.get("app:1"), [MANIFEST, fresh]);
});

Deno.test("every name that means the image now is told, sent or not", async () => {
  await using peer = new Peer();
  const source = new Content();
  const digest = source.image("x");
  for (const _ of ["sent", "there already"]) {
    const named: string[] = [];
    await push(peer, source, digest, { onNamed: (name) => named.push(name) });
    assert.deepEqual(named, ["app:1"]);
  }
});

Deno.test("trouble that passes costs one more attempt and nothing else", async (t) => {
  const rows: [name: string, fault: Fault][] = [
    ["500 to a question for a blob", { at: /^HEAD blob/, times: 1, answer: [500, ""] }],
    ["503 to the start of an upload", { at: /^POST blob/, times: 1, answer: [503, "starting"] }],
    ["500 after a whole blob", { at: /^PUT blob/, times: 1, answer: [500, "disk"] }],
    ["429", { at: /^PUT blob/, times: 1, answer: [429, "slowly"] }],
    ["an upload that was forgotten", { at: /^PUT blob/, times: 1, answer: [400, "unknown"] }],
    ["a cut in the middle of a blob", { at: /^PUT blob/, times: 1, cutAfter: 100_000 }],
    ["two cuts", { at: /^PUT blob/, times: 2, cutAfter: 1 }],
    ["500 to a manifest", { at: /^PUT manifest/, times: 1, answer: [500, ""] }],
    ["a cut in a manifest", { at: /^PUT manifest/, times: 1, cutAfter: 1 }],
  ];
  for (const [name, fault] of rows) {
    await t.step(name, async () => {
      await using peer = new Peer(fault);
      const source = new Content();
      const digest = source.image(LAYER);
      const clock = new TestClock();
      const progress: PushProgress[] = [];
      const result = await push(peer, source, digest, {
        clock,
        onProgress: (step) => progress.push(step),
      });
      assert.deepEqual(result, { blobsSent: 2, blobsPresent: 0, manifestsSent: 1 });
      assert.deepEqual(peer.manifests.get("app:1"), [MANIFEST, digest]);
      assert.equal(peer.blobs.size, 2);
      assert.equal(clock.slept.length, fault.times, "one pause for each failure");
      const last = progress.at(-1);
      assert.equal(last?.bytes, last?.totalBytes, "what was sent in vain does not count");
      assert.ok(progress.every(({ bytes, totalBytes }) => bytes >= 0 && bytes <= totalBytes));
    });
  }
});

Deno.test("a manifest is put even if the registry does not say whether it has it", async () => {
  await using peer = new Peer({ at: /^HEAD manifest/, times: 1, answer: [500, ""] });
  const source = new Content();
  const digest = source.image("x");
  assert.equal((await push(peer, source, digest)).manifestsSent, 1);
  assert.deepEqual(peer.manifests.get("app:1"), [MANIFEST, digest]);
});

Deno.test("what no other attempt can change is refused at once, with the registry's words", async (t) => {
  const rows: [at: RegExp, status: number, text: string, message: RegExp][] = [
    [/^HEAD blob/, 401, "", /answered 401 to blob sha256:[0-9a-f]{64} in app$/],
    [/^HEAD blob/, 403, "", /answered 403 to blob/],
    [/^POST blob/, 404, " name unknown\n", /answered 404 to blob .* in app: name unknown$/],
    [/^PUT blob/, 401, "expired", /answered 401 to blob .*: expired$/],
    [/^PUT manifest/, 405, "read-only", /answered 405 to manifest .* in app: read-only$/],
  ];
  for (const [at, status, text, message] of rows) {
    await t.step(`${status} at ${at.source}`, async () => {
      await using peer = new Peer({ at, times: Infinity, answer: [status, text] });
      const source = new Content();
      const clock = new TestClock();
      await assert.rejects(
        push(peer, source, source.image("x"), { clock, concurrency: 1 }),
        (error) => {
          assert.ok(error instanceof ZarfError, String(error));
          assert.equal(error.reason, "RegistryRefused");
          assert.equal(error.disposition, "terminal");
          assert.match(error.message, message);
          assert.match(error.kept ?? "", /what was pushed before is kept/);
          return true;
        },
      );
      assert.equal(peer.steps.filter((step) => at.test(step)).length, 1);
      assert.deepEqual(clock.slept, []);
    });
  }
});

Deno.test("a registry that stays out of order is asked six times, ever more slowly", async () => {
  const at = /^HEAD blob/;
  await using peer = new Peer({ at, times: Infinity, answer: [503, "no storage"] });
  const source = new Content();
  const clock = new TestClock();
  await assert.rejects(
    push(peer, source, source.image("x"), { clock, concurrency: 1 }),
    (error) => {
      assert.ok(error instanceof ZarfError);
      assert.equal(error.reason, "RegistryUnavailable");
      assert.equal(error.disposition, "retry");
      assert.match(error.message, /answered 503/);
      return true;
    },
  );
  assert.equal(peer.steps.length, 6);
  assert.equal(clock.slept.length, 5);
  const [first = 0, last = 0] = [clock.slept.at(0), clock.slept.at(-1)];
  assert.ok(last > first, clock.slept.join());
});

Deno.test("an upload goes on where the registry says, on the registry that is known", async (t) => {
  const rows: [name: string, location: (repository: string) => string][] = [
    ["a path", (name) => `/v2/${name}/blobs/uploads/7`],
    ["a path with a query", (name) => `/v2/${name}/blobs/uploads/7?_state=a%3D`],
    ["another host", (name) => `https://registry.example/v2/${name}/blobs/uploads/7`],
  ];
  for (const [name, location] of rows) {
    await t.step(name, async () => {
      await using peer = new Peer();
      peer.location = location;
      const source = new Content();
      const digest = source.image("x");
      await push(peer, source, digest);
      assert.deepEqual(peer.manifests.get("app:1"), [MANIFEST, digest]);
    });
  }
  for (const bad of [undefined, "http://"]) {
    await t.step(`not ${bad}`, async () => {
      await using peer = new Peer();
      peer.location = () => bad;
      const source = new Content();
      await assert.rejects(push(peer, source, source.image("x")), (error) => {
        assert.ok(error instanceof ZarfError, String(error));
        assert.match(error.message, /answered 202 to blob/);
        return true;
      });
      assert.deepEqual(source.opened, [], "no file is opened for nothing");
    });
  }
});

/** An image of `count` layers. */
function wide(source: Content, count: number): Digest {
  const layers = Array.from({ length: count }, (_, index) => source.add(`layer ${index}`));
  return source.add({ mediaType: MANIFEST, config: source.add("{}"), layers }).digest;
}

Deno.test("no more uploads run at once than allowed, and as many as that", async (t) => {
  for (const [given, expected] of [[1, 1], [3, 3], [0, 1], [undefined, 6]] as const) {
    await t.step(`${given}`, async () => {
      await using peer = new Peer();
      const state = { running: 0, most: 0 };
      peer.onStep = async (step) => {
        if (!step.includes("blob")) return;
        state.most = Math.max(state.most, ++state.running);
        await new Promise((resolve) => setTimeout(resolve, 15));
        state.running--;
      };
      const source = new Content();
      const more = given === undefined ? {} : { concurrency: given };
      await push(peer, source, wide(source, 9), more);
      assert.equal(state.most, expected);
    });
  }
});

Deno.test("the first failure ends the other uploads and is the one reported", async () => {
  const source = new Content();
  const digest = wide(source, 30);
  const bad = digestOf(new TextEncoder().encode("layer 1"));
  await using peer = new Peer({ at: new RegExp(bad), times: 1, answer: [403, "quota"] });
  peer.onStep = (step) =>
    step.includes(bad) ? undefined : new Promise((resolve) => setTimeout(resolve, 30));
  await assert.rejects(push(peer, source, digest, { concurrency: 4 }), /answered 403/);
  assert.ok(peer.steps.length < 20, `${peer.steps.length} steps after the failure`);
  assert.ok(!peer.steps.some((step) => step.includes("manifest")));
});

Deno.test("a push that is told to stop says why it was", async (t) => {
  for (const where of [/^PUT blob/, /^HEAD manifest/]) {
    await t.step(where.source, async () => {
      await using peer = new Peer();
      const controller = new AbortController();
      peer.onStep = (step) => {
        if (!where.test(step)) return;
        controller.abort(new Error("the lease is lost"));
        return new Promise((resolve) => setTimeout(resolve, 50));
      };
      const source = new Content();
      const clock = new TestClock();
      const { signal } = controller;
      const pushed = push(peer, source, source.image("x"), { signal, clock });
      await assert.rejects(pushed, /^Error: the lease is lost$/);
      assert.deepEqual(clock.slept, [], "nothing is tried again");
      assert.equal(peer.manifests.size, 0);
    });
  }
});

Deno.test("a manifest that changed since it was planned is not put under its old name", async () => {
  await using peer = new Peer();
  const source = new Content();
  const digest = source.image("x");
  peer.onStep = (step) => {
    if (step.startsWith("HEAD manifest")) source.swapped.set(digest, "{}");
  };
  await assert.rejects(push(peer, source, digest), (error) => {
    assert.ok(error instanceof ZarfError);
    assert.equal(error.reason, "RegistryRefused");
    assert.match(error.message, new RegExp(`manifest ${digest} .*another digest`));
    return true;
  });
  assert.equal(peer.manifests.size, 0);
});

Deno.test("nothing to push asks the registry nothing", async () => {
  await using peer = new Peer();
  const result = await pushImages([], {
    source: new Content(),
    registryUrl: peer.url,
    credentials: CREDENTIALS,
  });
  assert.deepEqual(result, { blobsSent: 0, blobsPresent: 0, manifestsSent: 0 });
  assert.deepEqual(peer.steps, []);
});
