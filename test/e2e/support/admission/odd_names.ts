import { Random } from "../../../fuzz/random.ts";

const HEX = "0123456789abcdef";
/** Characters that mean something in references and URLs, and some that never may be there. */
const MARKS = [..."/:@.-_+%?#*~[]{}()<> \\\"'`\t\n\r\0", ..."aZ09", "é", "ß", "İ", "K", "中", "😀"];
/** The most changes that are made to one text. */
const MAX_CHANGES = 3;

const HOSTS = [
  ...["docker.io", "index.docker.io", "ghcr.io", "GHCR.io", "quay.io", "registry.k8s.io"],
  ...["localhost", "localhost:5000", "LocalHost", "registry", "registry:5000", "Registry", "a"],
  ...["127.0.0.1:31999", "127.0.0.1", "10.43.0.7:5000", "1", "0x7f.1", "registry.example:65536"],
  ...["[::1]:5000", "[::1]", "[2001:db8::1]", "[fe80::1%25eth0]:80", "[v1.x]", "::1", "[::1"],
  ...["a.b-c.d", "xn--bcher-kva.example", "bücher.example", "-bad.example", "bad-.example"],
  ...["ex..ample", "under_score.example", "example.", ".example", "example:", "example:port"],
  ...["zarf-docker-registry.zarf.svc.cluster.local:5000", "gitlab.com", "user@example.com"],
  ...["127.0.0.1:3199", "127.0.0.1:319990", `${"h".repeat(63)}.example`, "h".repeat(300)],
] as const;

const PARTS = [
  ...["nginx", "library", "app", "a", "stefanprodan", "podinfo", "a-b", "a--b", "a_b", "a__b"],
  ...["a___b", "a.b", "a..b", "a-.b", "App", "aPP", "0", "-a", "a-", "_a", "a_", ".", "..", "ä"],
  ...["x".repeat(127), "x".repeat(128), "library/nginx", "a/b/c", "a//b", "sha256", "gitea"],
] as const;

const TAGS = [
  ...["latest", "v1", "1.27", "1.23.3-rootless", "_", "A", "a.b", "a-", "a_", "V1.0_x-y"],
  ...[".a", "-a", "1.0+build", "ä", "", "a:b", "t".repeat(128), "t".repeat(129)],
  ...["1.0-zarf-3793515731", "latest-zarf-0"],
] as const;

/** A text of hexadecimal digits. */
function hex(random: Random, length: number): string {
  return Array.from({ length }, () => random.pick([...HEX])).join("");
}

function digestText(random: Random): string {
  const lengths = { sha256: 64, sha384: 96, sha512: 128, md5: 32, sha1: 40, blake3: 64 };
  const [algorithm, length] = random.pick(Object.entries(lengths));
  const right = `${algorithm}:${hex(random, length)}`;
  if (random.percent(65)) return random.percent(80) ? `sha256:${hex(random, 64)}` : right;
  return random.pick([
    right,
    right.toUpperCase(),
    `${algorithm}:${hex(random, length).toUpperCase()}`,
    right.slice(0, -1),
    `${right}0`,
    hex(random, length),
    `${algorithm}:`,
    `${algorithm}+b64:${hex(random, length)}`,
    `${algorithm}.2x:${hex(random, length)}`,
    `SHA256:${hex(random, 64)}`,
  ]);
}

/** An image reference: often a right one, else one that is wrong in one place or in several. */
export function imageReference(random: Random): string {
  if (random.percent(1)) return random.percent(50) ? hex(random, 64) : digestText(random);
  const scheme = random.percent(12) ? random.pick(["oci://", "OCI://", "docker://", "oci:/"]) : "";
  const host = random.percent(65) ? `${sound(random, HOSTS, 6)}/` : "";
  const depth = 1 + random.below(random.percent(90) ? 3 : 9);
  const path = Array.from({ length: depth }, () => sound(random, PARTS, 10)).join("/");
  const tag = random.percent(60) ? `:${sound(random, TAGS, 10)}` : "";
  const digest = random.percent(30) ? `@${digestText(random)}` : "";
  const text = `${random.percent(60) ? scheme.toLowerCase() : scheme}${host}${path}${tag}${digest}`;
  return random.percent(25) ? changed(random, text) : text;
}

/** Mostly one of the first, which are right. */
function sound(random: Random, all: readonly string[], first: number): string {
  return random.pick(random.percent(75) ? all.slice(0, first) : all);
}

/** The text with one or more characters changed, lost, doubled or put in. */
export function changed(random: Random, text: string): string {
  let characters = [...text];
  for (let left = 1 + random.below(MAX_CHANGES); left > 0; left--) {
    const at = random.below(characters.length + 1);
    const rest = characters.slice(at + 1);
    const here = characters.slice(at, at + 1);
    const middle = random.pick([
      [random.pick(MARKS)],
      [random.pick(MARKS), ...here],
      [],
      [...here, ...here],
      here.map((one) => one === one.toUpperCase() ? one.toLowerCase() : one.toUpperCase()),
    ]);
    characters = [...characters.slice(0, at), ...middle, ...rest];
  }
  return characters.join("");
}

const GIT_HOSTS = [
  ...["github.com", "gitlab.example", "repo1.dso.mil", "localhost:3000", "10.0.0.1", "github.com"],
  ...["user@dev.azure.com", "user:pass@example.com", "git@github.com", "[::1]:3000", "Example.COM"],
  ...["zarf-gitea-http.zarf.svc.cluster.local:3000", "zarf-gitea-http.zarf.svc.cluster.local"],
  ...["example.com:port", "exa mple.com", "[::1", "", "bücher.example", "a%41.example", "x@y@z"],
] as const;

const REPOSITORIES = [
  ...["zarf", "zarf.helm", "podinfo_fasd-123", "twistlock", "a", "Zarf", "flux-app", "x.y.z"],
  ...[".git", "a.git.git", "*", "ä", "a b", "a%20b", "~a", "", "-", "_git", "a+b", "info", "a\nb"],
] as const;

const GIT_REFS = [
  ...["v0.16.0", "refs/tags/v0.16.0", "refs/heads/main", "0.0.9-bb.0", "+v1", "+refs/heads/x"],
  ...["60e0a9f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7", "", "@v1", "a b", "v1^{}", "v1~1", "ä", "a@b"],
] as const;

/** The URL of a git repository, as {@linkcode imageReference}. */
export function gitUrl(random: Random): string {
  if (random.percent(3)) return random.pick(["*", "", "git@github.com:a/b.git", "/srv/a.git"]);
  const scheme = sound(random, ["https", "http", "ssh", "git", "HTTPS", "git+ssh", "s3", "oci"], 4);
  const path = Array.from({ length: random.below(4) }, () => `${sound(random, PARTS, 10)}/`).join(
    "",
  );
  const repository = sound(random, REPOSITORIES, 8);
  const ending = random.percent(50) ? ".git" : "";
  const slash = random.percent(8) ? "/" : "";
  const ref = random.percent(35) ? `@${sound(random, GIT_REFS, 6)}` : "";
  const smart = random.percent(12)
    ? random.pick(["/info/refs?service=git-upload-pack", "/git-upload-pack", "/git-receive-pack"])
    : "";
  const query = random.percent(5) ? random.pick(["?a=b", "#fragment", "?x=/y.git"]) : "";
  const host = sound(random, GIT_HOSTS, 6);
  const text = `${scheme}://${host}/${path}${repository}${ending}${slash}${ref}${smart}${query}`;
  return random.percent(20) ? changed(random, text) : text;
}
