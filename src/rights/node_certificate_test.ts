import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { type AnyObject, ApiObjects } from "../../test/fakes/api_objects.ts";
import { pem, status } from "../../test/fakes/api_peer.ts";
import { issue, keyPem, newKey, requestedKey } from "../../test/fakes/signer.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { readKubeconfig } from "../kube/mod.ts";
import { judge } from "./judge.ts";
import { NodeCertificate } from "./node_certificate.ts";

const DAY = 86_400_000;
const NODES = "holdfast:node:";
const GROUP = "holdfast:nodes";
const PLURAL = "certificatesigningrequests";

/** A clock on which tests wait for real, so that the world can change meanwhile; sleeps are short. */
class HandClock extends TestClock {
  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await super.sleep(ms, signal);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

class Stage {
  readonly api = new ApiObjects();
  readonly clock = new HandClock();
  readonly said: string[] = [];
  readonly log = loggerOf();
  /** What the cluster's signer does with a request that is approved. */
  sign = (csr: AnyObject): AnyObject["status"] => ({ certificate: btoa(this.certificateFor(csr)) });
  /** From when, by the node's clock, and for how long certificates count. */
  from = 0;
  life = 7 * DAY;
  nodeName = "n1";

  constructor(readonly dir: string) {
    this.writeKubelet();
    this.api.onChange = (object, type) => {
      if (object.kind !== "CertificateSigningRequest" || type !== "ADDED") return;
      const csr = object;
      setTimeout(() => this.#answer(csr), 5);
    };
  }

  get requests(): AnyObject[] {
    return this.api.all(PLURAL);
  }

  get kubelet(): string {
    return `${this.dir}/kubelet.conf`;
  }

  get kubeconfig(): string {
    return `${this.dir}/agent.conf`;
  }

  writeKubelet(
    { user = `system:node:${this.nodeName}`, url = this.api.peer.url, ca = pem("ca.crt") } = {},
  ): void {
    const key = newKey();
    const cert = issue(key, {
      commonName: user,
      organization: "system:nodes",
      notBefore: new Date(0),
      notAfter: new Date("2100-01-01"),
    });
    Deno.writeTextFileSync(`${this.dir}/current.pem`, cert + keyPem(key));
    const cluster = { server: url, "certificate-authority-data": btoa(ca) };
    Deno.writeTextFileSync(
      this.kubelet,
      JSON.stringify({
        "current-context": "c",
        clusters: [{ name: "c", cluster }],
        contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
        users: [{
          name: "u",
          user: { "client-certificate": "current.pem", "client-key": "current.pem" },
        }],
      }),
    );
  }

  certificateFor(csr: AnyObject): string {
    const { request } = csr["spec"] as { request: string };
    return issue(requestedKey(atob(request)), {
      commonName: NODES + this.nodeName,
      organization: GROUP,
      notBefore: new Date(this.from + this.clock.now().getTime()),
      notAfter: new Date(this.from + this.clock.now().getTime() + this.life),
    });
  }

  #answer(csr: AnyObject): void {
    const answer = this.sign(csr);
    if (answer !== undefined) this.api.put({ ...csr, status: answer });
  }

  get last(): string {
    return this.said.at(-1) ?? "";
  }

  /** The certificate in the kubeconfig that was made. */
  cert(): string | undefined {
    try {
      return readKubeconfig(this.kubeconfig).cert;
    } catch {
      return undefined;
    }
  }

  /** Runs while `action` does, as one process. */
  async run(action: () => Promise<void>): Promise<void> {
    const stop = new AbortController();
    const running = new NodeCertificate({
      kubelet: this.kubelet,
      nodeName: this.nodeName,
      directory: `${this.dir}/access`,
      kubeconfig: this.kubeconfig,
      say: (ok, text) => void this.said.push(`${ok ? "ok" : "bad"}: ${text}`),
      logger: this.log.logger,
      clock: this.clock,
      random: () => 0.5,
    }).run(stop.signal);
    try {
      await action();
    } finally {
      stop.abort();
      await running;
    }
  }
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    const stage = new Stage(dir);
    try {
      await action(stage);
    } finally {
      await stage.api[Symbol.asyncDispose]();
    }
  });
}

Deno.test("it asks for what an approver approves, and makes a kubeconfig of the answer", () =>
  staged((stage) =>
    stage.run(async () => {
      await eventually(() => stage.cert());
      const [request] = stage.requests;
      const spec = { ...request?.["spec"] as object, username: "system:node:n1" };
      const asked = { ...request, status: {}, spec: { ...spec, groups: ["system:nodes"] } };
      assert.deepEqual(judge(asked), { what: "approve", node: "n1" });
      assert.match(request?.metadata.name ?? "", /^holdfast-n1-[0-9a-f]{16}$/);
      const access = readKubeconfig(stage.kubeconfig);
      assert.equal(access.server, stage.api.peer.url);
      assert.equal(access.ca, pem("ca.crt"));
      const certificate = new X509Certificate(access.cert ?? "");
      assert(certificate.checkPrivateKey(createPrivateKey(access.key ?? "")));
      await eventually(() =>
        /^ok: this node's certificate counts until 1970-01-0/.test(stage.last)
      );
      assert(stage.said.some((text) => /^bad: waits for an answer to holdfast-n1-/.test(text)));
      const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
      assert.equal(modeOf(`${stage.dir}/access`), 0o700);
      assert.equal(modeOf(`${stage.dir}/access/certificate.json`), 0o600);
      const told = [...stage.said, ...stage.log.lines].join("\n");
      assert.doesNotMatch(told, /PRIVATE KEY|BEGIN/);
    })
  ));

Deno.test("a restart goes on with the certificate that there is", () =>
  staged(async (stage) => {
    await stage.run(async () => void await eventually(() => stage.cert()));
    const cert = stage.cert();
    await Deno.remove(stage.kubeconfig);
    await stage.run(async () => void await eventually(() => stage.cert()));
    assert.equal(stage.cert(), cert);
    assert.equal(stage.requests.length, 1);
  }));

Deno.test("under another name it asks for a certificate with that", () =>
  staged(async (stage) => {
    await stage.run(async () => void await eventually(() => stage.cert()));
    stage.nodeName = "n2";
    stage.writeKubelet();
    await Deno.remove(stage.kubeconfig);
    await stage.run(async () => void await eventually(() => stage.cert()));
    assert.match(new X509Certificate(stage.cert() ?? "").subject, /^CN=holdfast:node:n2$/m);
    assert.equal(stage.requests.length, 2);
    assert.match(stage.requests.at(-1)?.metadata.name ?? "", /^holdfast-n2-/);
  }));

Deno.test("a restart before the answer asks for nothing new", () =>
  staged(async (stage) => {
    stage.sign = () => undefined;
    await stage.run(async () => void await eventually(() => stage.requests.length === 1));
    await stage.run(async () => {
      await eventually(() => stage.said.filter((text) => /waits for an answer/.test(text))[1]);
      const [request] = stage.requests;
      assert(request);
      stage.api.put({ ...request, status: { certificate: btoa(stage.certificateFor(request)) } });
      await eventually(() => stage.cert());
    });
    assert.equal(stage.requests.length, 1);
  }));

Deno.test("at about two thirds of its time there is another one, also when the clock is of 1970", () =>
  staged(async (stage) => {
    // Fifty years in front of the node's clock.
    stage.from = 50 * 365 * DAY;
    stage.life = 3_600_000;
    await stage.run(async () => {
      const first = await eventually(() => stage.cert());
      await eventually(() => stage.cert() !== first, 20_000);
    });
    const share = stage.clock.monotonic() / stage.life;
    assert(share > 0.6 && share < 0.7, String(share));
    assert.equal(stage.requests.length, 2);
    const keys = stage.requests.map((csr) =>
      requestedKey(atob((csr["spec"] as { request: string }).request)).toHex()
    );
    assert.notEqual(keys[0], keys[1], "each has a key of its own");
  }));

Deno.test("a certificate that ends in the past by the node's clock is used while it is taken", () =>
  staged(async (stage) => {
    stage.from = -365 * DAY;
    stage.life = DAY;
    stage.clock.advance(400 * DAY);
    await stage.run(async () => {
      await eventually(() => stage.cert());
      await eventually(() => stage.said.filter((text) => text.startsWith("ok: this")).length > 5);
    });
    assert.equal(stage.requests.length, 1);
  }));

Deno.test("when the API server takes it no longer there is another one", () =>
  staged((stage) =>
    stage.run(async () => {
      const first = await eventually(() => stage.cert());
      await eventually(() => stage.last.startsWith("ok: this"));
      // The client's certificate cannot be seen here: the first request after it is refused.
      let refusals = 1;
      stage.api.intercept = ({ path }) =>
        path === "/version" && refusals-- > 0 ? status(401, "Unauthorized") : undefined;
      await eventually(() => stage.cert() !== first);
      assert.equal(stage.requests.length, 2);
    })
  ));

Deno.test("a cluster that does not take what it signs is not asked again and again", () =>
  staged((stage) =>
    stage.run(async () => {
      stage.api.intercept = ({ path }) =>
        path === "/version" ? status(401, "Unauthorized") : undefined;
      await eventually(() => /^bad: the API server does not take the certificate/.test(stage.last));
      await eventually(() => stage.clock.monotonic() > 3_600_000, 20_000);
      assert(stage.requests.length < 12, String(stage.requests.length));
      assert(stage.requests.length > 3);
      stage.api.intercept = () => undefined;
      await eventually(() => stage.last.startsWith("ok: this node's certificate"));
    })
  ));

Deno.test("an API server that does not answer is no reason for another one", () =>
  staged((stage) =>
    stage.run(async () => {
      const first = await eventually(() => stage.cert());
      let failures = 0;
      stage.api.intercept = ({ path }) => {
        if (path !== "/version") return undefined;
        failures++;
        return status(500, "InternalError");
      };
      await eventually(() => failures > 3);
      assert.equal(stage.cert(), first);
      assert.equal(stage.requests.length, 1);
    })
  ));

Deno.test("another cluster's certificate authority means another certificate", () =>
  staged((stage) =>
    stage.run(async () => {
      const first = await eventually(() => stage.cert());
      const before = stage.requests.length;
      stage.writeKubelet({ ca: `${pem("ca.crt")}\n` });
      await eventually(() => stage.cert() !== first);
      assert.equal(stage.requests.length, before + 1);
      assert.equal(readKubeconfig(stage.kubeconfig).ca, `${pem("ca.crt")}\n`);
    })
  ));

Deno.test("another address of the same cluster is taken over with the same certificate", () =>
  staged((stage) =>
    stage.run(async () => {
      const first = await eventually(() => stage.cert());
      const url = stage.api.peer.url.replace("127.0.0.1", "localhost");
      stage.writeKubelet({ url });
      await eventually(() => readKubeconfig(stage.kubeconfig).server === url);
      assert.equal(stage.cert(), first);
    })
  ));

Deno.test("a no is said with its reason, and asked again with another key after a long while", () =>
  staged((stage) =>
    stage.run(async () => {
      stage.sign = () => ({ conditions: [{ type: "Denied", status: "True", message: "not you" }] });
      await eventually(() => /^bad: .* was denied: not you/.test(stage.last));
      await eventually(() => stage.requests.length >= 2);
      const pauses = stage.clock.slept.filter((ms) => ms > 20_000);
      assert(pauses[0] === 45_000, String(pauses));
      stage.sign = (csr) => ({ certificate: btoa(stage.certificateFor(csr)) });
      await eventually(() => stage.cert());
    })
  ));

Deno.test("what else keeps it waiting is said, and passes", async (t) => {
  const cases: [string, (stage: Stage) => void, RegExp, (stage: Stage) => void][] = [
    [
      "no kubeconfig of a kubelet",
      (stage) => Deno.removeSync(stage.kubelet),
      /^bad: this node's kubelet has not joined a cluster yet; it does once a control plane[^/]*$/,
      (stage) => stage.writeKubelet(),
    ],
    [
      "a kubeconfig that is none",
      (stage) => Deno.writeTextFileSync(stage.kubelet, "a: ["),
      /the kubelet's kubeconfig cannot be used/,
      (stage) => stage.writeKubelet(),
    ],
    [
      "a kubeconfig that is not a kubelet's",
      (stage) => stage.writeKubelet({ user: "admin" }),
      /no certificate of a kubelet, but of admin/,
      (stage) => stage.writeKubelet(),
    ],
    [
      "another node's kubelet",
      (stage) => stage.writeKubelet({ user: "system:node:n2" }),
      /the kubelet of this node is n2, not n1; give --node-name n2/,
      (stage) => stage.writeKubelet(),
    ],
    [
      "a certificate that does not come from PEM",
      (stage) => Deno.writeTextFileSync(`${stage.dir}/current.pem`, "x"),
      /no certificate of a kubelet; it may not have joined yet/,
      (stage) => stage.writeKubelet(),
    ],
    [
      "a kubelet that the API server does not take",
      (stage) => stage.api.intercept = () => status(401, "Unauthorized"),
      /the API server answered 401/,
      (stage) => stage.api.intercept = () => undefined,
    ],
    [
      "a signer that fails",
      (stage) =>
        stage.sign = () => ({ conditions: [{ type: "Failed", status: "True", message: "no CA" }] }),
      /could not be signed: no CA/,
      (stage) => stage.sign = (csr) => ({ certificate: btoa(stage.certificateFor(csr)) }),
    ],
    [
      "a certificate of another key",
      (stage) =>
        stage.sign = () => {
          const notAfter = new Date(DAY);
          const names = { commonName: NODES + stage.nodeName, organization: GROUP };
          const cert = issue(newKey(), { ...names, notBefore: new Date(0), notAfter });
          return { certificate: btoa(cert) };
        },
      /is not one of this node's key/,
      (stage) => stage.sign = (csr) => ({ certificate: btoa(stage.certificateFor(csr)) }),
    ],
    [
      "a request that nobody answers",
      (stage) => stage.sign = () => undefined,
      /nobody has answered the certificate signing request holdfast-n1-/,
      (stage) => {
        stage.sign = (csr) => ({ certificate: btoa(stage.certificateFor(csr)) });
        for (const csr of stage.requests) stage.api.remove(csr);
      },
    ],
    [
      "a request that is taken away",
      (stage) =>
        stage.sign = (csr) => {
          stage.api.remove(csr);
          return undefined;
        },
      /was removed/,
      (stage) => stage.sign = (csr) => ({ certificate: btoa(stage.certificateFor(csr)) }),
    ],
  ];
  for (const [what, spoil, why, mend] of cases) {
    await t.step(what, () =>
      staged((stage) => {
        spoil(stage);
        return stage.run(async () => {
          await eventually(
            () => stage.said.some((text) => text.startsWith("bad") && why.test(text)),
            20_000,
          );
          mend(stage);
          await eventually(() => stage.cert(), 20_000);
        });
      }));
  }
});

Deno.test("a disk that takes nothing costs only that it is asked again after a restart", () =>
  staged(async (stage) => {
    Deno.writeTextFileSync(`${stage.dir}/access`, "in the way");
    await stage.run(async () => void await eventually(() => stage.cert()));
    assert(stage.log.lines.some((line) => /the node's certificate is not kept/.test(line)));
    await stage.run(async () => void await eventually(() => stage.requests.length === 2));
  }));
