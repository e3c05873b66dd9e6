module holdfast.dev/test/injector

go 1.26.0
