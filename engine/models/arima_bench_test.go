package models

import (
	"testing"

	"github.com/almanacdb/almanac/engine/series"
)

func BenchmarkARIMAYearly(b *testing.B) {
	benchmark(b, ARIMA(), "", func(seed uint64) series.Series { return simulated(30, 1, seed) })
}

func BenchmarkARIMAQuarterly(b *testing.B) {
	benchmark(b, ARIMA(), "", func(seed uint64) series.Series { return simulated(48, 4, seed) })
}

func BenchmarkARIMAMonthly(b *testing.B) {
	benchmark(b, ARIMA(), "", func(seed uint64) series.Series { return simulated(120, 12, seed) })
}

func BenchmarkARIMADaily(b *testing.B) {
	benchmark(b, ARIMA(), "", func(seed uint64) series.Series { return counts(1900, seed) })
}

func BenchmarkARIMAFixed(b *testing.B) {
	benchmark(b, ARIMA(), "(0,1,1)(0,1,1)", func(seed uint64) series.Series { return simulated(120, 12, seed) })
}
