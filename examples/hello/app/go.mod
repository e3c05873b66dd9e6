module holdfast.dev/examples/hello

go 1.26.0
