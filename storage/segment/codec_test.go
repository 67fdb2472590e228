package segment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage/columns"
)

// codecColumns are columns as sales tables have them, and one of noise as the worst case.
func codecColumns(n int) map[string]arrow.Array {
	rng := rand.New(rand.NewPCG(1, 2))
	mem := memory.NewGoAllocator()
	counts, dates := array.NewInt64Builder(mem), array.NewDate32Builder(mem)
	prices, noise := array.NewFloat64Builder(mem), array.NewFloat64Builder(mem)
	ids, notes := array.NewStringBuilder(mem), array.NewStringBuilder(mem)
	price := 10.0
	for i := range n {
		counts.Append(int64(rng.ExpFloat64() * 1.5))
		dates.Append(arrow.Date32(15000 + i%1500))
		if rng.IntN(50) == 0 {
			price = math.Round(100*(5+20*rng.Float64())) / 100
		}
		prices.Append(price)
		noise.Append(rng.NormFloat64())
		ids.Append(fmt.Sprintf("CA_1_FOODS_%d", i/1500))
		notes.Append(fmt.Sprintf("order %d of customer %d", rng.IntN(1e9), rng.IntN(1e5)))
	}
	return map[string]arrow.Array{
		"counts": counts.NewArray(), "dates": dates.NewArray(), "prices": prices.NewArray(),
		"noise": noise.NewArray(), "ids": ids.NewArray(), "notes": notes.NewArray(),
	}
}

// BenchmarkCodec measures what docs/adr/0003-storage-format.md quotes.
func BenchmarkCodec(b *testing.B) {
	for name, a := range codecColumns(GroupRows) {
		v := columns.Of(a)
		for codec, label := range map[Codec]string{Raw: "raw", LZ4: "lz4", Zstd: "zstd"} {
			e := &encoder{codec: codec}
			block, _, err := e.encode(nil, v)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/"+label+"/encode", func(b *testing.B) {
				b.SetBytes(v.Size())
				for b.Loop() {
					block, _, _ = e.encode(block[:0], v)
				}
				b.ReportMetric(float64(len(block))/float64(v.Size())*100, "%size")
			})
			b.Run(name+"/"+label+"/decode", func(b *testing.B) {
				b.SetBytes(v.Size())
				for b.Loop() {
					if _, err := decodeBlock(block, a.DataType()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
