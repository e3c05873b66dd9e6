import { MachineService, RebootRequest_Mode } from "./api/machine/machine_pb.ts";
import { brokenOff, TalosError } from "./errors.ts";
import {
  type ImageStore,
  importImages,
  listImages,
  pullImage,
  runInstaller,
  type TalosImage,
} from "./images.ts";
import {
  getResource,
  instant,
  listResources,
  type ResourceEvent,
  type ResourceRef,
  type TalosResource,
  watchResources,
} from "./resources.ts";
import { type CallOptions, MACHINE_SOCKET, TalosTransport } from "./transport.ts";

/** What the machine runs. */
export interface TalosVersion {
  /** `v1.13.0` */
  readonly tag: string;
  /** Go's name of the processor. */
  readonly architecture: string;
  /** `metal`, `container` and so on. */
  readonly platform: string;
}

/** A member of the machine's etcd cluster. */
export interface EtcdMember {
  /** In hexadecimal digits, as etcdctl shows it. */
  readonly id: string;
  readonly name: string;
  readonly isLearner: boolean;
  /** Where the others reach it, `https://192.0.2.1:2380`. */
  readonly peerUrls: readonly string[];
}

/** A service that machined runs. */
export interface TalosService {
  /** `etcd` */
  readonly id: string;
  /** `Waiting`, `Preparing`, `Running`, `Failed` and so on (Talos 1.13, system/events). */
  readonly state: string;
  /** The last that was said of it. */
  readonly message: string;
  /**
   * When machined loaded the service, to the nanosecond: its first event. Undefined when that is not
   * kept any more.
   */
  readonly since: string | undefined;
}

/** How the machine's own etcd stands. */
export interface EtcdStatus {
  readonly memberId: string;
  readonly leaderId: string;
  readonly isLearner: boolean;
  /** Bytes. */
  readonly size: number;
  readonly errors: readonly string[];
}

/** How a machine is started anew; `POWERCYCLE` goes through the firmware. */
export type RebootMode = keyof typeof RebootRequest_Mode;

/** Milliseconds for calls that do much before they answer. */
const LONG_DEADLINE = 60_000;

/** How many events of a service machined keeps (Talos 1.13, system/events, MaxEventsToKeep). */
const EVENTS_KEPT = 64;
/** Milliseconds for a list of a directory. */
const LIST_DEADLINE = 15_000;
/** How many names a directory may have. */
const MAX_NAMES = 10_000;
/** How the operating system's word for a path that is not there ends. */
const NO_SUCH_FILE = "no such file or directory";

/** The machine's own API, on its socket. Every method throws {@linkcode TalosError}. */
export class TalosClient implements Disposable {
  readonly #transport: TalosTransport;

  /** @param socket @default {@linkcode MACHINE_SOCKET} */
  constructor(socket: string = MACHINE_SOCKET) {
    this.#transport = new TalosTransport(socket);
  }

  async version(options?: CallOptions): Promise<TalosVersion> {
    const { messages: [first] } = await this.#transport.unary(
      MachineService.method.version,
      {},
      options,
    );
    return {
      tag: first?.version?.tag ?? "",
      architecture: first?.version?.arch ?? "",
      platform: first?.platform?.name ?? "",
    };
  }

  /** One resource of Talos' state; undefined where there is none. */
  resource(ref: ResourceRef, options?: CallOptions): Promise<TalosResource | undefined> {
    return getResource(this.#transport, ref, options);
  }

  /** All resources of a kind. */
  resources(
    kind: Pick<ResourceRef, "namespace" | "type">,
    options?: CallOptions,
  ): Promise<TalosResource[]> {
    return listResources(this.#transport, kind, options);
  }

  /** What there is of a kind, then each change, until the signal or machined ends it. */
  watch(
    kind: Pick<ResourceRef, "namespace" | "type">,
    options?: CallOptions,
  ): AsyncGenerator<ResourceEvent> {
    return watchResources(this.#transport, kind, options);
  }

  /**
   * Makes a new etcd cluster of this machine. Whoever calls it must know that there is none: a second
   * one splits the site. `AlreadyExists` when this machine has data of one.
   */
  async bootstrap(options?: CallOptions): Promise<void> {
    await this.#transport.unary(
      MachineService.method.bootstrap,
      {},
      { deadline: LONG_DEADLINE, ...options },
    );
  }

  /** Starts one of Talos' services, if it lets anybody and it does not run. */
  async startService(id: string, options?: CallOptions): Promise<void> {
    await this.#transport.unary(MachineService.method.serviceStart, { id }, options);
  }

  /** Starts the machine anew; the answer comes before it goes down. */
  async reboot(mode: RebootMode = "DEFAULT", options?: CallOptions): Promise<void> {
    const request = { mode: RebootRequest_Mode[mode] };
    await this.#transport.unary(MachineService.method.reboot, request, options);
  }

  /** Every service that machined has loaded. */
  async services(options?: CallOptions): Promise<TalosService[]> {
    const { messages: [first] } = await this.#transport.unary(
      MachineService.method.serviceList,
      {},
      options,
    );
    if (first === undefined) throw noAnswer("ServiceList");
    return first.services.map(({ id, state, events: { events } = { events: [] } }) => ({
      id,
      state,
      message: events.at(-1)?.msg ?? "",
      since: events.length < EVENTS_KEPT ? instant(events[0]?.ts) : undefined,
    }));
  }

  /**
   * The names in a directory of the machine; undefined where there is no such path, `[""]` where it is
   * no directory. An answer that breaks off looks like a shorter list.
   */
  async namesIn(path: string, options?: CallOptions): Promise<string[] | undefined> {
    const names: string[] = [];
    let itself: boolean | undefined;
    const call = this.#transport.stream(MachineService.method.list, { root: path }, {
      deadline: LIST_DEADLINE,
      ...options,
    });
    try {
      for await (const { relativeName, isDir, error } of call) {
        if (error !== "") throw unreadable(path, error);
        if (itself === undefined) itself = isDir;
        else names.push(relativeName);
        if (names.length > MAX_NAMES) throw unreadable(path, `more than ${MAX_NAMES} names`);
      }
    } catch (error) {
      if (error instanceof TalosError && error.message.endsWith(NO_SUCH_FILE)) return undefined;
      throw error;
    }
    if (itself === undefined) throw brokenOff(`the list of ${path}`);
    return itself ? names : [""];
  }

  async etcdStatus(options?: CallOptions): Promise<EtcdStatus> {
    const { messages: [first] } = await this.#transport.unary(
      MachineService.method.etcdStatus,
      {},
      options,
    );
    const status = first?.memberStatus;
    if (status === undefined) throw noAnswer("EtcdStatus");
    return {
      memberId: hexadecimal(status.memberId),
      leaderId: hexadecimal(status.leader),
      isLearner: status.isLearner,
      size: Number(status.dbSize),
      errors: status.errors,
    };
  }

  async etcdMembers(options?: CallOptions): Promise<EtcdMember[]> {
    const { messages: [first] } = await this.#transport.unary(
      MachineService.method.etcdMemberList,
      {},
      options,
    );
    if (first === undefined) throw noAnswer("EtcdMemberList");
    return first.members.map(({ id, hostname, isLearner, peerUrls }) => ({
      id: hexadecimal(id),
      name: hostname,
      isLearner,
      peerUrls,
    }));
  }

  /**
   * The images that containerd has. An answer that breaks off looks like a shorter list: absence is
   * no proof.
   */
  images(store: ImageStore, options?: CallOptions): Promise<TalosImage[]> {
    return listImages(this.#transport, store, options);
  }

  /** Lets containerd pull an image, and gives the name that it has then. */
  pullImage(store: ImageStore, reference: string, options?: CallOptions): Promise<string> {
    return pullImage(this.#transport, store, reference, options);
  }

  /**
   * Gives containerd an archive: a tar with an OCI layout, or of `docker save`.
   *
   * @returns the name of the first image
   */
  importImages(
    store: ImageStore,
    archive: AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<string> {
    return importImages(this.#transport, store, archive, options);
  }

  /**
   * Runs an installer that containerd has, under exactly this name. It changes what boots next and
   * nothing else: nobody drains the node or starts it anew. It must not be broken off.
   *
   * @param onLine takes what the installer says.
   * @returns its exit code
   */
  upgrade(
    store: ImageStore,
    installer: string,
    onLine: (line: string) => void,
    options?: CallOptions,
  ): Promise<number> {
    return runInstaller(this.#transport, { store, installer, onLine }, options);
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}

function hexadecimal(id: bigint): string {
  return id.toString(16);
}

function noAnswer(call: string): TalosError {
  return new TalosError({ reason: "BadResponse", message: `${call}: the answer is empty` });
}

function unreadable(path: string, why: string): TalosError {
  return new TalosError({ reason: "BadResponse", message: `${path} cannot be listed: ${why}` });
}
