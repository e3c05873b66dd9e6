import assert from "node:assert/strict";
import { crc32 } from "./crc32.ts";
import { parseImageReference, RefError } from "./reference.ts";
import { transformImage, transformImageWithoutChecksum, zarfTag } from "./transform.ts";

const TARGET = "127.0.0.1:31999";
const AGENT = "sha256:84605f731c6a18194794c51e70021c671ab064654b751aa57e905bce55be13de";
const BUSYBOX = "sha256:3fbc632167424a6d997e74f52b878d7cc478225cffac6bc977eedfe51c7f4e79";

/** Zarf 0.84, src/pkg/transform/image_test.go, and names that its agent gave on a real cluster. */
const VECTORS: [image: string, transformed: string][] = [
  ["nginx", "library/nginx:latest-zarf-3793515731"],
  ["nginx:1.23.3", "library/nginx:1.23.3-zarf-3793515731"],
  ["busybox", "library/busybox:latest-zarf-2140033595"],
  ["alpine", "library/alpine:latest-zarf-1117969859"],
  ["zarf-dev/zarf-agent:v0.22.1", "zarf-dev/zarf-agent:v0.22.1-zarf-2183797434"],
  [`zarf-dev/zarf-agent@${AGENT}`, `zarf-dev/zarf-agent@${AGENT}`],
  [`busybox:latest@${BUSYBOX}`, `library/busybox@${BUSYBOX}`],
  ["ghcr.io/stefanprodan/podinfo:6.3.3", "stefanprodan/podinfo:6.3.3-zarf-2985051089"],
  [
    "registry1.dso.mil/ironbank/opensource/zarf-dev/zarf/zarf-agent:v0.25.0",
    "ironbank/opensource/zarf-dev/zarf/zarf-agent:v0.25.0-zarf-1211467612",
  ],
  ["quay.io/crio/artifact:v1", "crio/artifact:v1-zarf-2568457951"],
  [
    "oci://10.43.130.183:5000/stefanprodan/manifests/podinfo",
    "stefanprodan/manifests/podinfo:latest-zarf-531355090",
  ],
  ["localhost:5000/myapp:1", "myapp:1-zarf-1003862798"],
  ["ghcr.io/zarf-dev/doom-game:0.0.1", "zarf-dev/doom-game:0.0.1-zarf-2650618839"],
  ["registry.k8s.io/pause:3.10", "pause:3.10-zarf-3787916693"],
  ["alpine/socat:1.8.0.3", "alpine/socat:1.8.0.3-zarf-2670809669"],
  ["registry:3.1.1", "library/registry:3.1.1-zarf-2874453864"],
  ["ghcr.io/zarf-dev/zarf/agent:v0.84.0", "zarf-dev/zarf/agent:v0.84.0-zarf-2203613481"],
  [
    "ghcr.io/go-gitea/gitea:1.24.6-rootless",
    "go-gitea/gitea:1.24.6-rootless-zarf-2556929642",
  ],
  ["postgres:16", "library/postgres:16-zarf-1939223831"],
  [
    "quay.io/jetstack/cert-manager-controller:v1",
    "jetstack/cert-manager-controller:v1-zarf-1554577349",
  ],
  ["ghcr.io/fluxcd/helm-controller:v1", "fluxcd/helm-controller:v1-zarf-2391562616"],
];

Deno.test("images get the names that Zarf gives them", async (t) => {
  for (const [image, transformed] of VECTORS) {
    await t.step(image, () => {
      assert.equal(transformImage(TARGET, image), `${TARGET}/${transformed}`);
    });
  }
});

Deno.test("a transformed image is not transformed again", () => {
  for (const [image] of VECTORS) {
    const once = transformImage(TARGET, image);
    assert.equal(transformImage(TARGET, once), once);
  }
  const gitea = "gitlab.com/project/gitea/gitea:1.19.3-rootless-zarf-3431384023";
  assert.equal(transformImage("gitlab.com/project", gitea), gitea);
  assert.equal(transformImageWithoutChecksum("gitlab.com/project", gitea), gitea);
});

Deno.test("a reference that begins with no host is not transformed", () => {
  // Zarf takes an empty host for the beginning of any other.
  const image = "under_score.example/app:1";
  assert.equal(transformImage(TARGET, image), image);
  assert.equal(transformImageWithoutChecksum(TARGET, image), image);
});

Deno.test("without the checksum the tag stays and a digest wins over it", () => {
  const cases: [image: string, transformed: string][] = [
    ["nginx", "library/nginx:latest"],
    ["nginx:1.23.3", "library/nginx:1.23.3"],
    ["ghcr.io/stefanprodan/podinfo:6.3.3", "stefanprodan/podinfo:6.3.3"],
    [`busybox:latest@${BUSYBOX}`, `library/busybox@${BUSYBOX}`],
    [`zarf-dev/zarf-agent@${AGENT}`, `zarf-dev/zarf-agent@${AGENT}`],
  ];
  for (const [image, transformed] of cases) {
    assert.equal(
      transformImageWithoutChecksum("gitlab.com/project", image),
      `gitlab.com/project/${transformed}`,
    );
  }
});

Deno.test("what is no reference is not transformed", () => {
  for (
    const image of ["i am not a ref at all", "C:\\Users\\zarf", "http://urls.are/not/refs", ""]
  ) {
    assert.throws(() => transformImage(TARGET, image), RefError);
    assert.throws(() => transformImageWithoutChecksum(TARGET, image), RefError);
  }
});

Deno.test("the tag in the registry depends on the repository, never on the tag alone", () => {
  const tag = (image: string) => zarfTag(parseImageReference(image));
  assert.equal(tag("nginx:1.27"), "1.27-zarf-3793515731");
  assert.equal(tag("docker.io/library/nginx:1.27"), "1.27-zarf-3793515731");
  assert.notEqual(tag("quay.io/library/nginx:1.27"), "1.27-zarf-3793515731");
  assert.equal(tag(`nginx@${BUSYBOX}`), undefined);
  assert.equal(tag(`nginx:1@${BUSYBOX}`), "1-zarf-3793515731");
});

Deno.test("the checksum is zlib's, in unsigned decimal", () => {
  assert.equal(crc32("zarf"), "3574325738");
  assert.equal(crc32(""), "0");
  assert.equal(crc32("123456789"), "3421780262");
  assert.equal(
    crc32("ünïcode"),
    crc32(new TextDecoder().decode(new TextEncoder().encode("ünïcode"))),
  );
});
