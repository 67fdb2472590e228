// Package sqltype maps SQL column types and values to Arrow and back.
//
// A column becomes an Arrow field of the physical type that holds its values exactly (DECIMAL stays decimal128 or
// decimal256, DATE date32, DATETIME and TIMESTAMP timestamp[us], ENUM its index); the SQL type itself rides in the
// field's metadata under [MetadataKey], written and read only here. Layers below pass it on unchanged.
//
// Conversions run column by column: a batch is inspected once per column, which yields a closure over its buffers, and
// cells are then read or written without reflection. Text fields may arrive as utf8 or dictionary(int32, utf8).
//
// The package holds no state besides a cache of parsed type names; everything but [Batcher] is safe for concurrent use.
package sqltype
