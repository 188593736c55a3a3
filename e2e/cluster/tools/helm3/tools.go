//go:build tools

// Package tools pins Helm 3, which the tests of the chart run.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
