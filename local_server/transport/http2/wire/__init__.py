"""HTTP/2 as bytes: frames, header blocks, settings, validated heads. Knows no connection."""
