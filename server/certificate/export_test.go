package certificate

// Check looks at the files now, as Run does every two seconds.
var Check = (*Certificate).check
