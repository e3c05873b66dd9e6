import { digestOf } from "../../src/std/mod.ts";
import { type ImageSpec, writeOciLayout } from "./oci_image.ts";
import { ignoreMissing, whenChanged } from "./stamp.ts";

/** The registry's module, as the seed's go.mod requires it. */
const MODULE = "github.com/distribution/distribution/v3";
/** Zarf's chart runs the registry as this user and group (zarf-registry, values.yaml). */
const REGISTRY_ID = 1000;

/**
 * distribution's own default (cmd/registry/config-dev.yml, as docker.io/library/registry:3 has it),
 * for whoever starts the image as it is. A Deployment mounts its own.
 */
const CONFIG = `version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
`;

const PASSWD = `root:x:0:0:root:/:/sbin/nologin
registry:x:${REGISTRY_ID}:${REGISTRY_ID}:registry:/var/lib/registry:/sbin/nologin
`;
const GROUP = `root:x:0:\nregistry:x:${REGISTRY_ID}:\n`;

/**
 * The seed image: `/bin/registry` and what it needs, nothing else, in particular no shell. It takes
 * the place of docker.io/library/registry:3 in Zarf's Deployment, which calls
 * `/bin/registry serve /etc/docker/registry/config.yml` with a read-only root.
 *
 * @param binary the registry's static executable.
 * @param version of distribution, without `v`; it becomes the image's tag.
 */
export function seedImage(binary: string, version: string): ImageSpec {
  const owner = { uid: REGISTRY_ID, gid: REGISTRY_ID };
  return {
    references: [`docker.io/library/registry:${version}`],
    entries: [
      { path: "bin/registry", file: binary, mode: 0o755 },
      { path: "etc/distribution/config.yml", content: CONFIG },
      { path: "etc/group", content: GROUP },
      { path: "etc/passwd", content: PASSWD },
      { path: "tmp", directory: true, mode: 0o1777 },
      { path: "var/lib/registry", directory: true, ...owner },
    ],
    config: {
      entrypoint: ["/bin/registry"],
      cmd: ["serve", "/etc/distribution/config.yml"],
      // Without it the registry tries to reach a trace collector (OpenTelemetry autoexport).
      env: ["OTEL_TRACES_EXPORTER=none"],
      user: `${REGISTRY_ID}:${REGISTRY_ID}`,
      ports: ["5000/tcp"],
      volumes: ["/var/lib/registry"],
    },
  };
}

/** The version, without `v`, that a go.mod requires of distribution. */
export function pinnedRegistryVersion(goMod: string): string {
  const version = new RegExp(`${MODULE} v(\\S+)`).exec(goMod)?.[1];
  if (version === undefined) throw new Error(`go.mod does not require ${MODULE}`);
  return version;
}

/**
 * Writes the seed image as an OCI layout into `directory`, unless the same one is there.
 *
 * @returns whether it was written.
 */
export async function writeSeed(directory: string, image: ImageSpec): Promise<boolean> {
  return await whenChanged(directory, await seedInputs(image), async () => {
    const unfinished = `${directory}.tmp`;
    await Deno.remove(unfinished, { recursive: true }).catch(ignoreMissing);
    await writeOciLayout(unfinished, [image]);
    await Deno.remove(directory, { recursive: true }).catch(ignoreMissing);
    await Deno.rename(unfinished, directory);
  });
}

/** The image's files by content, and the code that writes it: its bytes depend on that, too. */
async function seedInputs(image: ImageSpec): Promise<string[]> {
  const sources = ["tar.ts", "oci_image.ts"].map((name) => new URL(name, import.meta.url));
  const files = image.entries.flatMap((entry) => "file" in entry ? [entry.file] : []);
  const contents = [...sources, ...files].map(async (path) => digestOf(await Deno.readFile(path)));
  return [JSON.stringify(image), ...await Promise.all(contents)];
}
