syntax = "proto3";
message Req { string name = 1; }
