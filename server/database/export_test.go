package database

// MigrateFrom is Migrate with the migrations of another folder, so that tests
// can see what a later migration would do.
var MigrateFrom = (*DB).migrateFrom
