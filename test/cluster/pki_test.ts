import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { layoutOf, subnetOf } from "./layout.ts";
import { createPki, kubeconfig, pkiDir } from "./pki.ts";

async function withPki(see: (layout: ReturnType<typeof layoutOf>) => void): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    const layout = layoutOf("demo", root);
    await createPki(layout, subnetOf(4), 2);
    see(layout);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("every certificate is signed by its authority and says who it is", async (t) => {
  await withPki((layout) => {
    const read = (name: string) =>
      new X509Certificate(Deno.readTextFileSync(`${pkiDir(layout)}/${name}.crt`));
    const ca = read("ca");
    const frontProxy = read("front-proxy-ca");
    assert.ok(ca.ca && frontProxy.ca);
    const cases: [string, RegExp, X509Certificate][] = [
      ["apiserver", /CN=kube-apiserver$/m, ca],
      ["admin", /O=system:masters/, ca],
      ["kubelet-client", /O=system:masters/, ca],
      ["controller-manager", /CN=system:kube-controller-manager/, ca],
      ["scheduler", /CN=system:kube-scheduler/, ca],
      ["proxy", /CN=system:kube-proxy/, ca],
      ["node1", /O=system:nodes\nCN=system:node:node1/, ca],
      ["node2", /O=system:nodes\nCN=system:node:node2/, ca],
      ["front-proxy-client", /CN=front-proxy-client/, frontProxy],
    ];
    for (const [name, subject, authority] of cases) {
      const certificate = read(name);
      assert.match(certificate.subject, subject);
      assert.ok(certificate.verify(authority.publicKey), `${name} is not signed as it should be`);
      assert.equal(certificate.ca, false, name);
    }
  });
  await t.step("the API server is valid for every address that it is called by", async () => {
    await withPki((layout) => {
      const apiserver = new X509Certificate(
        Deno.readTextFileSync(`${pkiDir(layout)}/apiserver.crt`),
      );
      for (const ip of ["127.0.0.1", "10.96.0.1", "172.29.4.1", "172.29.4.11", "172.29.4.19"]) {
        assert.equal(apiserver.checkIP(ip), ip);
      }
      for (const host of ["kubernetes", "kubernetes.default.svc", "localhost", "node2"]) {
        assert.equal(apiserver.checkHost(host), host);
      }
      assert.equal(apiserver.checkIP("172.29.5.11"), undefined);
    });
  });
});

Deno.test("a kubeconfig carries the user's own certificate and the server", async () => {
  await withPki((layout) => {
    const config = JSON.parse(kubeconfig(layout, "admin", "https://172.29.4.11:6443"));
    assert.equal(config.clusters[0].cluster.server, "https://172.29.4.11:6443");
    const text = atob(config.users[0].user["client-certificate-data"]);
    assert.match(new X509Certificate(text).subject, /CN=admin/);
    assert.match(atob(config.users[0].user["client-key-data"]), /PRIVATE KEY/);
    const context = config.contexts[0];
    assert.equal(context.name, config["current-context"]);
    assert.deepEqual(context.context, {
      cluster: config.clusters[0].name,
      user: config.users[0].name,
    });
  });
});

Deno.test("keys can be read by their owner only", async () => {
  await withPki((layout) => {
    assert.equal((Deno.statSync(pkiDir(layout)).mode ?? 0) & 0o077, 0);
  });
});
