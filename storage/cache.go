package storage

import (
	"container/list"
	"sync"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
)

// rowIDColumn is the column number under which the cache keeps the row ids of a row group.
const rowIDColumn = -1

// orderColumn, hashColumn and positionColumn stand for what is derived from a row group or, with group -1, a segment.
const (
	orderColumn    = -2
	hashColumn     = -3
	positionColumn = -4
)

type blockKey struct {
	file   uint64
	group  int
	column int
	key    *keys.Encoder // of an order or a hash index
}

// cachedBlock holds one of view, ids, order, hash and positions.
type cachedBlock struct {
	key       blockKey
	view      *columns.View
	ids       []uint64
	order     []int32
	hash      *hashIndex
	positions []idPosition
	size      int64
}

// blockCache keeps decoded blocks and the indexes made from them, least recently used out first, within a limit of bytes. Safe for concurrent use. Evicted blocks
// live on for as long as somebody reads them.
type blockCache struct {
	mu    sync.Mutex
	limit int64
	size  int64
	order *list.List // front is the most recent
	items map[blockKey]*list.Element
}

func newBlockCache(limit int64) *blockCache {
	return &blockCache{limit: limit, order: list.New(), items: map[blockKey]*list.Element{}}
}

func (c *blockCache) get(k blockKey) *cachedBlock {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[k]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedBlock)
}

func (c *blockCache) put(b *cachedBlock) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.items[b.key] != nil || b.size > c.limit {
		return
	}
	c.items[b.key] = c.order.PushFront(b)
	c.size += b.size
	for c.size > c.limit {
		c.drop(c.order.Back())
	}
}

func (c *blockCache) drop(e *list.Element) {
	b := e.Value.(*cachedBlock)
	c.order.Remove(e)
	delete(c.items, b.key)
	c.size -= b.size
}

// forget drops the blocks of a removed file.
func (c *blockCache) forget(file uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*cachedBlock).key.file == file {
			c.drop(e)
		}
		e = next
	}
}
