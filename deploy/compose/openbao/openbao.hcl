# One node on one disk, reachable inside the network of the servers only. A cluster has TLS, raft storage and an automatic unseal.
storage "file" {
  path = "/openbao/file"
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
api_addr      = "http://openbao:8200"
disable_mlock = true
ui            = false
