#!/bin/bash
# DR test script

echo "Starting DR test..."

# 1. Create test data
kubectl exec -it primary-cluster-0 -- cypher-shell -u neo4j -p password \
  "CREATE (n:TestNode {id: $(date +%s), timestamp: datetime()})"

# 2. Wait for replication
sleep 30

# 3. Verify data on secondary
kubectl exec -it secondary-cluster-0 -- cypher-shell -u neo4j -p password \
  "MATCH (n:TestNode) RETURN count(n)"

# 4. Perform failover test
kubectl patch neo4jdisasterrecovery dr-test --type='merge' \
  -p='{"spec":{"failover":{"target":"secondary"}}}'

# 5. Verify application connectivity
curl -f http://secondary-endpoint:7474/db/data/ || exit 1

echo "DR test completed successfully"
