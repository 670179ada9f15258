resource "aws_vpc_peering_connection" "neo4j_dr" {
  vpc_id      = var.primary_vpc_id
  peer_vpc_id = var.secondary_vpc_id
  peer_region = var.secondary_region

  tags = {
    Name = "neo4j-disaster-recovery"
  }
}
