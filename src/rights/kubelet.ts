import { X509Certificate } from "node:crypto";
import { type ClusterAccess, KubeError, readKubeconfig } from "../kube/mod.ts";
import { RightsError } from "./errors.ts";
import { KUBELET_USER_PREFIX } from "./names.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;

/**
 * How the kubelet of this node reaches its cluster, read anew: it changes its certificate by itself.
 *
 * @param nodeName whose kubelet it must be.
 * @throws {RightsError} `KubeletUnreadable`, `NotKubelet`, `NodeNameDiffers`.
 */
export function readKubelet(path: string, nodeName: string): ClusterAccess {
  const access = readAccess(path);
  const user = userOf(access.cert ?? "");
  if (user === undefined || !user.startsWith(KUBELET_USER_PREFIX)) {
    throw new RightsError({
      reason: "NotKubelet",
      message: `${path} holds no certificate of a kubelet` +
        (user === undefined ? "; it may not have joined yet" : `, but of ${user}`),
      disposition: "wait",
    });
  }
  const name = user.slice(KUBELET_USER_PREFIX.length);
  if (name === nodeName) return access;
  throw new RightsError({
    reason: "NodeNameDiffers",
    message: `the kubelet of this node is ${name}, not ${nodeName}`,
    remedy: `give --node-name ${name}`,
    disposition: "wait",
  });
}

function readAccess(path: string): ClusterAccess {
  try {
    return readKubeconfig(path);
  } catch (cause) {
    if (cause instanceof KubeError && cause.cause instanceof Deno.errors.NotFound) {
      throw notJoined();
    }
    throw new RightsError({
      reason: "KubeletUnreadable",
      message: "the kubelet's kubeconfig cannot be used",
      remedy: "the kubelet writes it when it joins; give --kubelet-kubeconfig if it is elsewhere",
      disposition: "wait",
      cause,
    });
  }
}

/** So it is at each first boot, until a control plane has answered. */
function notJoined(): RightsError {
  return new RightsError({
    reason: "KubeletUnreadable",
    message: "this node's kubelet has not joined a cluster yet",
    remedy: "it does once a control plane answers it, and its log says what keeps it from that; " +
      "give --kubelet-kubeconfig if its kubeconfig is elsewhere",
    disposition: "wait",
  });
}

/** The common name of the first certificate; the kubelet keeps certificate and key in one file. */
function userOf(pem: string): string | undefined {
  try {
    const { subject } = new X509Certificate(CERTIFICATE.exec(pem)?.[0] ?? "");
    return /^CN=(.*)$/m.exec(subject)?.[1];
  } catch {
    return undefined;
  }
}
