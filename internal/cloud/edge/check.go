package edge

// Check says why cfg cannot be served, without serving it; nil if it can. The error wraps ErrConfig.
func Check(cfg Config) error {
	_, err := compile(cfg)
	return err
}
