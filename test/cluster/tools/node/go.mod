module holdfast.dev/test/node

go 1.26.0
