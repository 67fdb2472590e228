package models

import (
	"testing"

	"github.com/almanacdb/almanac/engine/models/modeltest"
)

func TestARIMAConformance(t *testing.T) { modeltest.Run(t, ARIMA(), nil) }
