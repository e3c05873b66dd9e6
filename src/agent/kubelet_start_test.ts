import assert from "node:assert/strict";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { type KubeletStart, startKubelet, startKubeletFrom } from "./kubelet_start.ts";
import { Occasion } from "./signals.ts";

/*
 * That it is started is shown with Talos' own API in test/e2e/talos_images_e2e_test.ts; here nobody
 * listens on the socket.
 */

interface Bench {
  readonly clock: TestClock;
  readonly lines: readonly string[];
  readonly arrivals: Occasion;
  /** Takes in a package with or without an image. */
  arrive(name: string, hasImage: boolean): void;
  notAlone(): void;
  /** Resolves when it has ended. */
  readonly running: Promise<void>;
  readonly stop: AbortController;
}

function withBench(action: (bench: Bench) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    const { logger, lines } = loggerOf();
    const clock = new TestClock();
    const arrivals = new Occasion();
    const stop = new AbortController();
    let isAlone = true;
    const options: KubeletStart = {
      ...{ socket: `${dir}/machine.sock`, store, arrivals, logger, clock },
      alone: () => isAlone,
    };
    const running = startKubelet(options, stop.signal);
    const arrive = (name: string, hasImage: boolean) => {
      takeIn(store, name, hasImage);
      arrivals.happen();
    };
    const notAlone = () => {
      isAlone = false;
      arrivals.happen();
    };
    try {
      await action({ clock, lines, arrivals, arrive, notAlone, running, stop });
    } finally {
      stop.abort();
      await running;
    }
  });
}

function takeIn(store: Store, name: string, hasImage: boolean): void {
  const descriptor = { mediaType: "m", digest: digestOf("manifest"), size: 8 };
  const [host, repository, tag] = ["registry.k8s.io", "etcd", "v3.6.9"];
  const reference = `${host}/${repository}:${tag}`;
  const image = { reference, host, repository, tag, zarfTag: `${tag}-zarf-1`, descriptor };
  store.records.putPackage({
    digest: digestOf(name),
    ...{ name, version: "1", architecture: "amd64", kind: "ZarfPackageConfig" },
    ...{ signature: "Unsigned", acceptedAt: "2026-01-01T00:00:00Z", fileName: "a", bytes: 1 },
    images: hasImage ? [image] : [],
    manifests: [],
    blobs: [],
  });
}

Deno.test("machined is asked only when a package has images, and again until it answers", () =>
  withBench(async ({ clock, lines, arrive }) => {
    arrive("charts", false);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(lines, []);
    arrive("talos", true);
    await eventually(() => clock.slept.length >= 3);
    assert.deepEqual(new Set(clock.slept), new Set([5_000]));
    assert.match(lines[0] ?? "", /^debug the kubelet could not be started: .*machine\.sock/);
  }));

Deno.test("it ends when there is a cluster, and when the agent does", async () => {
  await withBench(async ({ notAlone, running, lines }) => {
    notAlone();
    await running;
    assert.deepEqual(lines, []);
  });
  await withBench(async ({ arrive, clock, notAlone, running }) => {
    arrive("talos", true);
    await eventually(() => clock.slept.length > 0);
    notAlone();
    await running;
  });
  await withBench(async ({ stop, running }) => {
    stop.abort();
    await running;
  });
});

Deno.test("another machine's image is looked for until there is a cluster", () =>
  withDirectory(async (dir) => {
    const { logger, lines } = loggerOf();
    const clock = new TestClock();
    let isAlone = true;
    const elsewhere = { manifest: () => assert.fail("it is not known yet which image it is") };
    const socket = `${dir}/machine.sock`;
    const options = { socket, alone: () => isAlone, elsewhere, logger, clock };
    const running = startKubeletFrom(options, new AbortController().signal);
    await eventually(() => lines.length >= 2);
    isAlone = false;
    await running;
    assert.deepEqual(new Set(clock.slept), new Set([10_000]));
    assert.match(lines[0] ?? "", /^debug the kubelet was not started: .*machine\.sock/);
    const gone = AbortSignal.abort();
    await startKubeletFrom({ ...options, alone: () => true }, gone);
  }));
