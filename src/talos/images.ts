import { ContainerdNamespace, ContainerDriver } from "./api/common/common_pb.ts";
import { ImageService } from "./api/machine/image_pb.ts";
import { LifecycleService } from "./api/machine/lifecycle_pb.ts";
import { brokenOff } from "./errors.ts";
import type { CallOptions, TalosTransport } from "./transport.ts";

/**
 * Whose images: `kubernetes` are those of pods, `system` those that Talos itself keeps beside them on
 * the disk (kubelet, etcd, installers) (Talos 1.13, internal/app/internal/ctrhelper).
 */
export type ImageStore = "kubernetes" | "system";

const STORES = {
  kubernetes: { driver: ContainerDriver.CRI, namespace: ContainerdNamespace.NS_CRI },
  system: { driver: ContainerDriver.CRI, namespace: ContainerdNamespace.NS_SYSTEM },
} as const;

/** An image that containerd has. */
export interface TalosImage {
  readonly name: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** The images that containerd has; an answer that breaks off looks like a shorter list. */
export async function listImages(
  transport: TalosTransport,
  store: ImageStore,
  options?: CallOptions,
): Promise<TalosImage[]> {
  const request = { containerd: STORES[store] };
  const found: TalosImage[] = [];
  const answers = transport.stream(ImageService.method.list, request, options);
  for await (const { name, digest, size } of answers) {
    found.push({ name, digest, size: Number(size) });
  }
  return found;
}

/**
 * Lets containerd pull an image, and gives the name that it has then.
 *
 * @throws {TalosError}
 */
export async function pullImage(
  transport: TalosTransport,
  store: ImageStore,
  reference: string,
  options?: CallOptions,
): Promise<string> {
  const request = { containerd: STORES[store], imageRef: reference };
  const answers = transport.stream(ImageService.method.pull, request, options);
  for await (const { response } of answers) {
    if (response.case === "name") return response.value;
  }
  throw brokenOff(`the pull of ${reference}`);
}

/** Gives containerd an archive and gives back the name of its first image. */
export async function importImages(
  transport: TalosTransport,
  store: ImageStore,
  archive: AsyncIterable<Uint8Array>,
  options?: CallOptions,
): Promise<string> {
  const requests = async function* () {
    yield { request: { case: "containerd" as const, value: STORES[store] } };
    for await (const bytes of archive) {
      yield { request: { case: "imageChunk" as const, value: { bytes } } };
    }
  };
  const { name } = await transport.send(ImageService.method.import, requests(), options);
  return name;
}

/**
 * Runs an installer that containerd has and gives its exit code.
 *
 * @throws {TalosError} also when its end was not told.
 */
export async function runInstaller(
  transport: TalosTransport,
  { store, installer, onLine }: {
    readonly store: ImageStore;
    /** The name that containerd has for it. */
    readonly installer: string;
    /** Takes what it says. */
    readonly onLine: (line: string) => void;
  },
  options?: CallOptions,
): Promise<number> {
  const request = { containerd: STORES[store], source: { imageName: installer } };
  const answers = transport.stream(LifecycleService.method.upgrade, request, options);
  for await (const { progress } of answers) {
    const { response } = progress ?? {};
    if (response?.case === "message") onLine(response.value);
    if (response?.case === "exitCode") return response.value;
  }
  throw brokenOff(`the installer ${installer}`);
}
