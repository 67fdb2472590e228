package models

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/almanacdb/almanac/engine/models/modeltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for _, spec := range All() {
		if spec.Name == "arima" {
			continue // TestARIMAConformance
		}
		t.Run(spec.Name, func(t *testing.T) { modeltest.Run(t, spec, All()) })
	}
}
