import assert from "node:assert/strict";
import { ApiPeer } from "../../test/fakes/api_peer.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { issueCertificates } from "../admission/mod.ts";
import { readKubeconfig } from "../kube/mod.ts";
import { ClusterConnection } from "./cluster.ts";
import { LedKubeconfig } from "./led_kubeconfig.ts";
import { Part } from "./listeners.ts";

const HOST = "127.0.0.1";

/** An API server that says its version. */
function apiServer(port = 0): ApiPeer {
  return new ApiPeer(() => Response.json({ gitVersion: "v1.36.3" }), {}, port);
}

Deno.test("a kubeconfig leads to the machine's own API server while that answers", () =>
  withDirectory(async (dir) => {
    await using own = apiServer();
    await using balancer = apiServer();
    const path = `${dir}/kubeconfig`;
    const file = new LedKubeconfig(path, { host: HOST, port: own.port });
    assert.equal(file.isThere, false);
    await file.give(balancer.kubeconfig);
    assert.equal(file.isThere, true);
    await Deno.writeTextFile(`${dir}/given`, balancer.kubeconfig);
    const given = readKubeconfig(`${dir}/given`);
    assert.deepEqual(readKubeconfig(path), { ...given, server: own.url });
    await own.stop();
    assert.equal(readKubeconfig(path).server, own.url, "nobody has asked it to look");
    await file.lookAnew();
    assert.deepEqual(readKubeconfig(path), given);
    await using another = apiServer();
    await file.give(another.kubeconfig);
    assert.equal(readKubeconfig(path).server, another.url);
  }));

Deno.test("who is not answered has the kubeconfig lead elsewhere, and goes on there", () =>
  withDirectory(async (dir) => {
    await using balancer = apiServer();
    await using gone = apiServer();
    const { port } = gone;
    await gone.stop();
    const path = `${dir}/kubeconfig`;
    const file = new LedKubeconfig(path, { host: HOST, port });
    await file.give(balancer.kubeconfig);
    const part = new Part("cluster", "not asked yet");
    const { logger } = loggerOf();
    const lookAnew = () => file.lookAnew();
    const clock = new TestClock();
    const cluster = new ClusterConnection(path, { logger, part, lookAnew, clock });
    const abort = new AbortController();
    const watching = cluster.watchHealth(abort.signal);
    const answers = ({ url }: ApiPeer) =>
      eventually(() => part.message === `the API server ${url} answers`, 20_000);
    await answers(balancer);
    await using own = apiServer(port);
    await balancer.stop();
    await answers(own);
    await using back = apiServer(balancer.port);
    await own.stop();
    await answers(back);
    assert(clock.slept.every((ms) => ms === 15_000), "it goes on there at once");
    abort.abort();
    await watching;
    cluster.client().close();
  }));

Deno.test("what is in the own API server's place, and of another authority, is not led to", () =>
  withDirectory(async (dir) => {
    await using balancer = apiServer();
    const server = Deno.serve(
      { hostname: HOST, port: 0, onListen() {}, ...issueCertificates() },
      () => new Response(),
    );
    const file = new LedKubeconfig(`${dir}/kubeconfig`, { host: HOST, port: server.addr.port });
    await file.give(balancer.kubeconfig);
    assert.equal(readKubeconfig(`${dir}/kubeconfig`).server, balancer.url);
    await server.shutdown();
  }));

Deno.test("what leads there already, or cannot be read, stays as it is", () =>
  withDirectory(async (dir) => {
    await using own = apiServer();
    const path = `${dir}/kubeconfig`;
    const file = new LedKubeconfig(path, { host: HOST, port: own.port });
    const noAuthority = own.kubeconfig.replace(/,"certificate-authority-data":"[^"]*"/, "");
    assert.notEqual(noAuthority, own.kubeconfig);
    for (const given of [own.kubeconfig, noAuthority, "no: kubeconfig", "{"]) {
      await file.give(given);
      assert.equal(await Deno.readTextFile(path), given);
    }
    assert.equal(own.seen.length, 0);
  }));
