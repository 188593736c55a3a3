//go:build tools

// Package tools pins the provisioner of volumes. It has a module of its own because it imports
// github.com/Sirupsen/logrus, whose name differs from Kubernetes' dependency only in case, which Go refuses.
package tools

import _ "github.com/rancher/local-path-provisioner"
