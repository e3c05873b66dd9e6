import assert from "node:assert/strict";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { seedIn } from "../../test/fakes/seed_cluster.ts";
import { AwakeClock, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import type { Facts } from "./cluster_facts.ts";
import { ASK_TIMEOUT, AWAY_FACTOR, MAX_TAGS, RegistryTagBook } from "./tag_book.ts";

const WEB = "library/web";
const OLD = digestOf("old");

/** A store, a registry and books about it. */
class Stage {
  readonly registry = new RegistryPeer();
  readonly clock = new TestClock();
  facts: Facts;
  readonly log = loggerOf();

  constructor(readonly store: Store) {
    this.registry.up = true;
    this.registry.users = () => ["reader:geheim"];
    const url = `http://${this.registry.ip}:5000`;
    this.facts = { registry: { url, username: "reader", password: "geheim" } };
  }

  /** A book as after a start of the agent. */
  book(): RegistryTagBook {
    const { store, clock, log: { logger } } = this;
    const facts = Object.defineProperty({ current: this.facts }, "current", {
      get: () => this.facts,
    });
    return new RegistryTagBook({ store, logger, facts, clock });
  }

  /** Somebody pushes a tag. */
  push(tag: string, content: string, repository = WEB): Digest {
    const bytes = new TextEncoder().encode(content);
    this.registry.blobs.set(digestOf(bytes), bytes);
    this.registry.tags.set(`${repository}:${tag}`, digestOf(bytes));
    return digestOf(bytes);
  }
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    const stage = new Stage(store);
    await using _registry = stage.registry;
    await action(stage);
  });
}

async function asked(book: RegistryTagBook, tag: string, ns?: string, stored?: Digest) {
  return (await book.current(WEB, tag, ns, stored))?.digest;
}

Deno.test("a tag means what the registry says, from one question to the next", () =>
  staged(async (stage) => {
    const book = stage.book();
    assert.equal(await asked(book, "1", undefined, OLD), undefined, "it knows no such tag");
    for (const content of ["laptop", "laptop again", "old"]) {
      const digest = stage.push("1", content);
      assert.deepEqual(await book.current(WEB, "1", undefined, OLD), {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest,
        size: content.length,
      });
    }
  }));

Deno.test("a mirror's tag is asked for by Zarf's name for it", () =>
  staged(async (stage) => {
    // The checksum is that of docker.io/library/nginx (Zarf 0.84, src/pkg/transform/image.go).
    const docker = stage.push("1.27-zarf-3793515731", "docker", "library/nginx");
    const plain = stage.push("1.27", "plain", "library/nginx");
    const book = stage.book();
    const ask = async (ns?: string) =>
      (await book.current("library/nginx", "1.27", ns, undefined))?.digest;
    assert.deepEqual([await ask("docker.io"), await ask()], [docker, plain]);
  }));

Deno.test("while the registry is away a tag means what it meant last, also after a restart", () =>
  staged(async (stage) => {
    const laptop = stage.push("1", "laptop");
    assert.equal(await asked(stage.book(), "1", undefined, OLD), laptop);
    stage.registry.up = false;
    const book = stage.book();
    assert.equal(await asked(book, "1", undefined, OLD), laptop);
    assert.equal(await asked(book, "1"), laptop, "on a node that has no package with it as well");
    assert.equal(await asked(book, "2", undefined, OLD), undefined, "it was never asked for");
    stage.registry.up = true;
    stage.clock.advance(AWAY_FACTOR * ASK_TIMEOUT);
    const later = stage.push("1", "later");
    assert.equal(await asked(book, "1", undefined, OLD), later);
  }));

Deno.test("what the registry lost, or was given another meaning by this node, is forgotten", () =>
  staged(async (stage) => {
    const book = stage.book();
    stage.push("1", "laptop");
    await asked(book, "1", undefined, OLD);
    stage.registry.tags.clear();
    assert.equal(await asked(book, "1", undefined, OLD), undefined);
    stage.registry.up = false;
    assert.equal(await asked(book, "1", undefined, OLD), undefined);
    stage.registry.up = true;
    stage.clock.advance(AWAY_FACTOR * ASK_TIMEOUT);
    stage.push("1", "laptop");
    await asked(book, "1", undefined, OLD);
    book.forget(`${WEB}:1`);
    stage.registry.up = false;
    assert.equal(await asked(stage.book(), "1", undefined, OLD), undefined);
  }));

Deno.test("a silent registry holds up one question in so many, and a refusing one none", async (t) => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const held: Deno.Conn[] = [];
  const holding = (async () => {
    for await (const connection of silent) held.push(connection);
  })();
  await t.step("silent", () =>
    staged(async (stage) => {
      const url = `http://127.0.0.1:${silent.addr.port}`;
      stage.facts = { registry: { url, username: "reader", password: "geheim" } };
      let now = 0;
      stage.clock.monotonic = () => now;
      const book = stage.book();
      const started = performance.now();
      using clock = new AwakeClock();
      const question = asked(book, "1", undefined, OLD);
      now = ASK_TIMEOUT;
      assert.equal(await question, undefined);
      const took = performance.now() - started;
      assert.ok(took >= ASK_TIMEOUT - 50, `it took ${took} ms`);
      assert.ok(clock.monotonic() < 2 * ASK_TIMEOUT, `it took ${took} ms`);
      now += AWAY_FACTOR * ASK_TIMEOUT - 1;
      const questions = held.length;
      for (let at = 0; at < 20; at++) assert.equal(await asked(book, "1"), undefined);
      assert.equal(held.length, questions, "nobody asked again");
    }));
  for (const connection of held) connection.close();
  silent.close();
  await holding;
  await t.step("refusing", () =>
    staged(async (stage) => {
      const url = stage.facts.registry?.url ?? "";
      stage.facts = { registry: { url: "http://127.0.0.1:1", username: "", password: "" } };
      const book = stage.book();
      assert.equal(await asked(book, "1", undefined, OLD), undefined);
      stage.facts = { registry: { url, username: "reader", password: "geheim" } };
      const laptop = stage.push("1", "laptop");
      stage.clock.advance(1);
      assert.equal(await asked(book, "1", undefined, OLD), laptop, "it is asked again at once");
    }));
});

Deno.test("an answer that cannot be one is as none", async (t) => {
  const rows: [name: string, status: number, headers: Record<string, string>][] = [
    ["a digest that is none", 200, { "docker-content-digest": "sha256:1" }],
    ["no digest", 200, {}],
    ["an error", 500, {}],
    ["a password that is wrong", 401, {}],
  ];
  for (const [name, status, headers] of rows) {
    await t.step(name, () =>
      staged(async (stage) => {
        const laptop = stage.push("1", "laptop");
        await asked(stage.book(), "1");
        await using server = Deno.serve(
          { hostname: "127.0.0.1", port: 0, onListen() {} },
          () => new Response(null, { status, headers: { "content-length": "7", ...headers } }),
        );
        const url = `http://127.0.0.1:${server.addr.port}`;
        stage.facts = { registry: { url, username: "reader", password: "geheim" } };
        assert.equal(await asked(stage.book(), "1", undefined, OLD), laptop);
      }));
  }
});

Deno.test("nobody is asked for the registry's own image, nor where there is no registry", () =>
  staged(async (stage) => {
    const { image } = await seedIn(stage.store);
    stage.push("3", "another");
    const book = stage.book();
    assert.equal(await asked(book, "3", undefined, image.descriptor.digest), undefined);
    assert.notEqual(await asked(book, "3", undefined, OLD), undefined);
    stage.facts = {};
    assert.equal(await asked(book, "3", undefined, OLD), undefined);
  }));

Deno.test("so many tags are remembered, those that were asked for last", () =>
  staged(async (stage) => {
    const book = stage.book();
    for (let at = 0; at <= MAX_TAGS; at++) {
      stage.push(`v${at}`, `${at}`);
      await asked(book, `v${at}`);
      await asked(book, "v0");
    }
    stage.registry.up = false;
    const after = stage.book();
    assert.equal(await asked(after, "v0"), digestOf("0"));
    assert.equal(await asked(after, "v1"), undefined);
    assert.equal(await asked(after, `v${MAX_TAGS}`), digestOf(`${MAX_TAGS}`));
  }));

Deno.test("a book that cannot be read is begun anew, and a disk that is full keeps nobody from pulling", () =>
  staged(async (stage) => {
    stage.store.records.setValue("registry-tags", { no: "book" });
    const laptop = stage.push("1", "laptop");
    const book = stage.book();
    const { records } = stage.store;
    Object.defineProperty(stage.store, "records", {
      value: Object.create(records, {
        setValue: {
          value: () => {
            throw new Error("the disk is full");
          },
        },
      }),
    });
    assert.equal(await asked(book, "1"), laptop);
    assert.match(stage.log.lines.join("\n"), /will not outlast a restart: the disk is full/);
  }));
