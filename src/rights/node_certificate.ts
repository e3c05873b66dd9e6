import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { type ClusterAccess, KubeClient, type Kubeconfig, KubeError } from "../kube/mod.ts";
import {
  backoffDelay,
  type Clock,
  describeError,
  type Logger,
  systemClock,
  writeFileAtomic,
} from "../std/mod.ts";
import { CertificateFiles, type HeldCertificate } from "./certificate_files.ts";
import { RightsError, type RightsReason } from "./errors.ts";
import { readKubelet } from "./kubelet.ts";
import { NODE_USER_PREFIX } from "./names.ts";
import { signedCertificate } from "./signing.ts";

/** Milliseconds between two looks whether a certificate is still accepted, and of the same cluster. */
const CHECK_INTERVAL = 30_000;
/** The share of a certificate's time after which another one is asked for, and how far it is spread. */
const RENEWAL_SHARE = 2 / 3;
const RENEWAL_SPREAD = 0.1;
/** Pauses after a failure, in milliseconds. */
const RETRY = { initial: 2_000, max: 60_000 };
/** Pauses after an answer, in milliseconds: each asking leaves an object in the cluster for an hour. */
const ANSWERED_RETRY = { initial: 60_000, max: 15 * 60_000 };
/** After these a key is of no use: its request has its answer. */
const USED_UP: ReadonlySet<RightsReason> = new Set<RightsReason>([
  "Denied",
  "SigningFailed",
  "CertificateUnusable",
  "CertificateRefused",
]);

/** What {@linkcode NodeCertificate} works with. */
export interface NodeCertificateOptions {
  /** The kubelet's kubeconfig. */
  readonly kubelet: string;
  readonly nodeName: string;
  /** Where certificate and key are kept. */
  readonly directory: string;
  /** Where the agent's kubeconfig is put; nobody else may read it there. */
  readonly kubeconfig: string;
  /** Told how it stands. */
  readonly say: (ok: boolean, text: string) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A number in [0, 1). @default Math.random */
  readonly random?: () => number;
}

/**
 * The agent's own certificate on a worker: asked for as the kubelet of its node, renewed at two
 * thirds of its time, and asked for anew when the API server takes it no longer or the kubelet
 * belongs to another cluster or has another name. It makes a kubeconfig with it.
 */
export class NodeCertificate {
  readonly #options: NodeCertificateOptions;
  readonly #clock: Clock;
  readonly #files: CertificateFiles;
  #renewAt = 0;
  #written = "";

  constructor(options: NodeCertificateOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#files = new CertificateFiles(options.directory, options.logger);
    const { held } = this.#files;
    if (held !== undefined) this.#renewAt = this.#renewalOf(held, false);
  }

  /** Runs until the signal aborts. What goes wrong is said and tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { say, random = Math.random } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      let pause = CHECK_INTERVAL;
      try {
        await this.#look(signal);
        failures = 0;
        pause = Math.min(pause, Math.max(this.#renewAt - this.#clock.monotonic(), 0));
      } catch (error) {
        if (signal.aborted) return;
        say(false, describeError(error));
        const reason = error instanceof RightsError ? error.reason : undefined;
        const isAnswered = reason !== undefined && USED_UP.has(reason);
        if (isAnswered) this.#files.setPending(undefined);
        const bounds = isAnswered ? ANSWERED_RETRY : RETRY;
        pause = backoffDelay(failures++, { ...bounds, random });
      }
      await this.#clock.sleep(pause, signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { kubelet: path, nodeName, say } = this.#options;
    const kubelet = readKubelet(path, nodeName);
    const { held } = this.#files;
    const isOurs = held !== undefined && held.ca === kubelet.ca && isOf(held, nodeName);
    if (isOurs) this.#write(kubelet, held);
    const isGood = isOurs && this.#clock.monotonic() < this.#renewAt &&
      await accepted(kubelet, held, signal);
    const certificate = isGood ? held : await this.#request(kubelet, signal);
    if (!isGood && !await accepted(kubelet, certificate, signal)) throw refused();
    const until = new X509Certificate(certificate.cert).validToDate.toISOString();
    say(true, `this node's certificate counts until ${until}`);
  }

  async #request(kubelet: ClusterAccess, signal: AbortSignal): Promise<HeldCertificate> {
    const { nodeName, say, logger } = this.#options;
    const key = this.#files.pendingKey ?? newKey();
    this.#files.setPending(key);
    const kube = KubeClient.fromAccess(kubelet);
    try {
      const cert = await signedCertificate({
        ...{ kube, nodeName, key, signal, clock: this.#clock },
        onRequest: (name) => say(this.#isUsable, `waits for an answer to ${name}`),
      });
      const held = { key, cert, ...(kubelet.ca === undefined ? {} : { ca: kubelet.ca }) };
      this.#files.hold(held);
      this.#renewAt = this.#renewalOf(held, true);
      this.#write(kubelet, held);
      logger.info("this node has a certificate of its own");
      return held;
    } finally {
      kube.close();
    }
  }

  /** Whether there is a certificate while another one is asked for. */
  get #isUsable(): boolean {
    return this.#files.held !== undefined && this.#written !== "";
  }

  #write(kubelet: ClusterAccess, held: HeldCertificate): void {
    const text = JSON.stringify(kubeconfigOf(kubelet, held));
    if (text === this.#written) return;
    writeFileAtomic(this.#options.kubeconfig, text);
    this.#written = text;
  }

  /**
   * When to ask for the next one, by the monotonic clock. The node's wall clock may be wrong: before
   * the certificate's time counts as its beginning, and one that is new has not ended.
   */
  #renewalOf({ cert }: HeldCertificate, isNew: boolean): number {
    const { validFromDate, validToDate } = new X509Certificate(cert);
    const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
    const left = to - Math.max(this.#clock.now().getTime(), from);
    const counted = left > 0 ? left : isNew ? to - from : 0;
    const { random = Math.random } = this.#options;
    const share = RENEWAL_SHARE * (1 - RENEWAL_SPREAD * random());
    return this.#clock.monotonic() + counted * share;
  }
}

/** Whether a certificate is this node's, which may have had another name. */
function isOf({ cert }: HeldCertificate, nodeName: string): boolean {
  const { subject } = new X509Certificate(cert);
  return subject.split("\n").includes(`CN=${NODE_USER_PREFIX}${nodeName}`);
}

/** Whether the API server takes the certificate. One that cannot be asked says nothing. */
async function accepted(
  kubelet: ClusterAccess,
  held: HeldCertificate,
  signal: AbortSignal,
): Promise<boolean> {
  const kube = KubeClient.fromAccess({ ...kubelet, cert: held.cert, key: held.key });
  try {
    await kube.version({ signal });
    return true;
  } catch (error) {
    return !(error instanceof KubeError && error.reason === "Unauthorized");
  } finally {
    kube.close();
  }
}

function refused(): RightsError {
  return new RightsError({
    reason: "CertificateRefused",
    message: "the API server does not take the certificate that its cluster has signed",
    remedy: "the controller manager must sign with an authority that the API server trusts",
    disposition: "wait",
  });
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function kubeconfigOf({ server, ca }: ClusterAccess, { cert, key }: HeldCertificate): Kubeconfig {
  const data = (pem: string) => new TextEncoder().encode(pem).toBase64();
  return {
    "current-context": "node",
    clusters: [{
      name: "node",
      cluster: { server, ...(ca === undefined ? {} : { "certificate-authority-data": data(ca) }) },
    }],
    contexts: [{ name: "node", context: { cluster: "node", user: "node" } }],
    users: [{
      name: "node",
      user: { "client-certificate-data": data(cert), "client-key-data": data(key) },
    }],
  };
}
