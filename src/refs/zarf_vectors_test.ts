import assert from "node:assert/strict";
import { parseImageReference, RefError } from "./reference.ts";
import { transformImage, transformImageWithoutChecksum, zarfTag } from "./transform.ts";

const TARGET = "gitlab.com/project";
const AGENT = "sha256:84605f731c6a18194794c51e70021c671ab064654b751aa57e905bce55be13de";
const BUSYBOX = "sha256:3fbc632167424a6d997e74f52b878d7cc478225cffac6bc977eedfe51c7f4e79";

/** Zarf 0.84, src/pkg/transform/image_test.go, whole: host, path, tag, digest, checksum. */
const VECTORS: [image: string, host: string, path: string, tag: string, rest: string][] = [
  ["nginx", "docker.io", "library/nginx", "latest", "3793515731"],
  ["nginx:1.23.3", "docker.io", "library/nginx", "1.23.3", "3793515731"],
  ["zarf-dev/zarf-agent:v0.22.1", "docker.io", "zarf-dev/zarf-agent", "v0.22.1", "2183797434"],
  [`zarf-dev/zarf-agent@${AGENT}`, "docker.io", "zarf-dev/zarf-agent", "", AGENT],
  [`busybox:latest@${BUSYBOX}`, "docker.io", "library/busybox", "latest", BUSYBOX],
  ["ghcr.io/stefanprodan/podinfo:6.3.3", "ghcr.io", "stefanprodan/podinfo", "6.3.3", "2985051089"],
  [
    "registry1.dso.mil/ironbank/opensource/zarf-dev/zarf/zarf-agent:v0.25.0",
    "registry1.dso.mil",
    "ironbank/opensource/zarf-dev/zarf/zarf-agent",
    "v0.25.0",
    "1211467612",
  ],
  [
    "oci://10.43.130.183:5000/stefanprodan/manifests/podinfo",
    "10.43.130.183:5000",
    "stefanprodan/manifests/podinfo",
    "latest",
    "531355090",
  ],
];
const AT_SITE = "gitlab.com/project/gitea/gitea:1.19.3-rootless-zarf-3431384023";

Deno.test("every image of Zarf's own tests is read and moved as Zarf does it", async (t) => {
  for (const [image, host, path, tag, rest] of VECTORS) {
    await t.step(image, () => {
      const digest = rest.startsWith("sha256:") ? `@${rest}` : "";
      const reference = parseImageReference(image);
      assert.deepEqual([reference.host, reference.path], [host, path]);
      assert.deepEqual([reference.tag ?? "", reference.digest ?? ""], [tag, digest.slice(1)]);
      const tagged = tag === "" ? "" : `:${tag}`;
      assert.equal(reference.canonical, `${host}/${path}${tagged}${digest}`);
      const moved = `${TARGET}/${path}`;
      assert.equal(transformImage(TARGET, image), moved + (digest || `:${tag}-zarf-${rest}`));
      assert.equal(transformImageWithoutChecksum(TARGET, image), moved + (digest || `:${tag}`));
    });
  }
});

Deno.test("an image of the site's registry stays in Zarf's own tests", () => {
  assert.equal(transformImage(TARGET, AT_SITE), AT_SITE);
  assert.equal(transformImageWithoutChecksum(TARGET, AT_SITE), AT_SITE);
  const { host, path, tag } = parseImageReference(AT_SITE);
  assert.equal(`${host}/${path}:${tag}`, AT_SITE);
  assert.equal(zarfTag(parseImageReference("nginx:1.23.3")), "1.23.3-zarf-3793515731");
});

Deno.test("what Zarf's own tests refuse is refused", () => {
  for (const image of ["i am not a ref at all", "C:\\Users\\zarf", "http://urls.are/not/refs"]) {
    for (const transform of [transformImage, transformImageWithoutChecksum]) {
      assert.throws(() => transform(TARGET, image), RefError);
    }
    assert.throws(() => parseImageReference(image), RefError);
  }
});
