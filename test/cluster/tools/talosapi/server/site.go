package main

import (
	"net/netip"
	"net/url"

	"github.com/siderolabs/crypto/x509"
	machineconfig "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
)

// changeSite changes what the machine knows of its network and of the site.
func (n *node) changeSite(c command) error {
	if c.Addresses != nil {
		r := network.NewNodeAddress(network.NamespaceName, network.NodeAddressCurrentID)
		for _, text := range *c.Addresses {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return err
			}
			r.TypedSpec().Addresses = append(r.TypedSpec().Addresses, prefix)
		}
		if err := n.put(r, false); err != nil {
			return err
		}
	}
	if c.Site != nil {
		if err := n.putRoots(*c.Site); err != nil {
			return err
		}
	}
	if c.Token != nil {
		r := secrets.NewOSRoot(secrets.OSRootID)
		r.TypedSpec().Token = *c.Token
		if err := n.put(r, *c.Token == ""); err != nil {
			return err
		}
	}
	if c.Endpoints != nil {
		r := k8s.NewEndpoint(k8s.ControlPlaneNamespaceName, k8s.ControlPlaneKubernetesEndpointsID)
		for _, text := range *c.Endpoints {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return err
			}
			r.TypedSpec().Addresses = append(r.TypedSpec().Addresses, addr)
		}
		if err := n.put(r, false); err != nil {
			return err
		}
	}
	if c.KubeletImage != nil {
		r := k8s.NewKubeletSpec(k8s.NamespaceName, k8s.KubeletID)
		r.TypedSpec().Image = *c.KubeletImage
		if err := n.put(r, false); err != nil {
			return err
		}
	}
	if c.Discovered == nil {
		return nil
	}
	for _, each := range *c.Discovered {
		if err := n.putMember(each); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) putRoots(s site) error {
	endpoint, err := url.Parse(s.Endpoint)
	if err != nil {
		return err
	}
	k := secrets.NewKubernetesRoot(secrets.KubernetesRootID)
	k.TypedSpec().Endpoint = endpoint
	k.TypedSpec().IssuingCA = &x509.PEMEncodedCertificateAndKey{Crt: []byte(s.KubernetesCA), Key: []byte("key")}
	k.TypedSpec().AcceptedCAs = []*x509.PEMEncodedCertificate{{Crt: []byte(s.KubernetesCA)}}
	if err := n.put(k, false); err != nil {
		return err
	}
	e := secrets.NewEtcdRoot(secrets.EtcdRootID)
	e.TypedSpec().EtcdCA = &x509.PEMEncodedCertificateAndKey{Crt: []byte("crt"), Key: []byte(s.EtcdKey)}
	return n.put(e, false)
}

func (n *node) putMember(d discovered) error {
	kind, err := machineconfig.ParseType(d.MachineType)
	if err != nil {
		return err
	}
	r := cluster.NewMember(cluster.NamespaceName, d.Name)
	r.TypedSpec().Hostname = d.Name
	r.TypedSpec().MachineType = kind
	for _, text := range d.Addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		r.TypedSpec().Addresses = append(r.TypedSpec().Addresses, addr)
	}
	return n.put(r, false)
}
