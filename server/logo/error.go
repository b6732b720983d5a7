package logo

import (
	"fmt"
	"image"
)

// Error is the refusal of an upload. It is written for the caller and says
// nothing of the decoders.
type Error struct {
	// Field is the request's field at fault: logo_data or content_type.
	Field string
	// Rule names the rule that was broken: logo.too_large (more than
	// [MaxBytes]), logo.unsupported_type (content_type is not accepted),
	// logo.type_mismatch (the data is not of that type), logo.dimensions
	// (a side of no pixels, or of more than [MaxSide]), logo.malformed (the
	// data is damaged) or logo.too_complex (decoding would cost far more than
	// an image of this size should).
	Rule string
	// Message says what is allowed and, where it is known, what was found.
	Message string
}

// Error returns the field and the message.
func (e *Error) Error() string {
	return e.Field + " " + e.Message
}

const (
	fieldData = "logo_data"
	fieldType = "content_type"
)

func tooLarge(size int) error {
	return &Error{fieldData, "logo.too_large", fmt.Sprintf("must be at most %d bytes, has %d", MaxBytes, size)}
}

func unsupportedType() error {
	return &Error{fieldType, "logo.unsupported_type", "must be image/png, image/jpeg, image/webp or image/gif"}
}

func otherType(found string) error {
	return &Error{fieldType, "logo.type_mismatch", "must be the type of logo_data, which is " + found}
}

func unknownData(contentType string) error {
	return &Error{fieldData, "logo.type_mismatch", "must be of the type content_type names, " + contentType}
}

func badDimensions(size image.Point) error {
	return &Error{fieldData, "logo.dimensions", fmt.Sprintf(
		"must be 1 to %d pixels wide and high, is %d×%d", MaxSide, size.X, size.Y)}
}

func malformed(contentType string) error {
	return &Error{fieldData, "logo.malformed", "must be a complete, undamaged " + contentType + " file"}
}

func tooManyScans(scans int) error {
	return &Error{fieldData, "logo.too_complex", fmt.Sprintf(
		"must be a JPEG of at most %d scans, has %d", maxScans, scans)}
}
