# 1. Stop writes to primary
kubectl patch neo4jenterprisecluster primary-cluster --type='merge' -p='{"spec":{"readOnly":true}}'

# 2. Wait for replication to catch up
kubectl wait --for=condition=ReplicationSynced neo4jdisasterrecovery cross-region-dr --timeout=300s

# 3. Promote secondary to primary
kubectl patch neo4jdisasterrecovery cross-region-dr --type='merge' -p='{"spec":{"failover":{"target":"secondary"}}}'

# 4. Update application endpoints
# Update DNS or load balancer to point to secondary region

# 5. Verify failover
kubectl get neo4jenterprisecluster secondary-cluster -o jsonpath='{.status.role}'
