module holdfast.dev/test/load

go 1.26.0
