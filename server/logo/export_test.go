package logo

// PictureOfPanic decodes data whose decoder panics: none is known that does.
func PictureOfPanic() error {
	_, err := format{contentType: "image/gif", open: func([]byte) (frame, error) {
		panic("index out of range")
	}}.picture(nil)
	return err
}
