package database

import "database/sql"

// Pools returns the pools of connections by name, to be watched and not to be used.
func (db *DB) Pools() map[string]*sql.DB {
	if db.writer == db.reader {
		return map[string]*sql.DB{"all": db.writer}
	}
	return map[string]*sql.DB{"read": db.reader, "write": db.writer}
}
