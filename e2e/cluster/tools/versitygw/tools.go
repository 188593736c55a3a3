//go:build tools

// Package tools pins the S3 gateway that the test images contain; its dependencies clash with Kubernetes' ones.
package tools

import _ "github.com/versity/versitygw/cmd/versitygw"
