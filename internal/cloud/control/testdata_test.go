package control

// sampleConfig is the DistributionConfig of spec: cloudfront 5.9 with what freshet does not know added: an unknown
// element at three depths, and Quantity before and after Items.
const sampleConfig = `<?xml version="1.0"?>
<DistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">
  <CallerReference>site</CallerReference>
  <Aliases><Quantity>1</Quantity><Items><CNAME>www.example.org</CNAME></Items></Aliases>
  <DefaultRootObject>index.html</DefaultRootObject>
  <Origins><Items><Origin>
    <Id>site-bucket</Id>
    <DomainName>site-bucket.s3.eu-central-1.amazonaws.com</DomainName>
    <OriginPath></OriginPath>
    <CustomHeaders><Quantity>0</Quantity></CustomHeaders>
    <S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig>
    <ConnectionAttempts>3</ConnectionAttempts><ConnectionTimeout>10</ConnectionTimeout>
    <OriginShield><Enabled>false</Enabled></OriginShield>
    <OriginAccessControlId>E2OACEXAMPLE</OriginAccessControlId>
    <FutureOriginThing><Deep>kept &amp; escaped</Deep></FutureOriginThing>
  </Origin></Items><Quantity>1</Quantity></Origins>
  <OriginGroups><Quantity>0</Quantity></OriginGroups>
  <DefaultCacheBehavior>
    <TargetOriginId>site-bucket</TargetOriginId>
    <TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>
    <TrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity></TrustedKeyGroups>
    <ViewerProtocolPolicy>redirect-to-https</ViewerProtocolPolicy>
    <AllowedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items>
      <CachedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items></CachedMethods>
    </AllowedMethods>
    <SmoothStreaming>false</SmoothStreaming><Compress>true</Compress>
    <LambdaFunctionAssociations><Quantity>0</Quantity></LambdaFunctionAssociations>
    <FunctionAssociations><Quantity>1</Quantity><Items><FunctionAssociation>
      <FunctionARN>arn:aws:cloudfront::111122223333:function/index-rewrite</FunctionARN>
      <EventType>viewer-request</EventType>
    </FunctionAssociation></Items></FunctionAssociations>
    <FieldLevelEncryptionId></FieldLevelEncryptionId>
    <CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId>
    <ResponseHeadersPolicyId>67f7725c-6f97-4210-82d7-5512b31e9d03</ResponseHeadersPolicyId>
    <FutureBehaviorThing>kept</FutureBehaviorThing>
  </DefaultCacheBehavior>
  <CacheBehaviors><Quantity>1</Quantity><Items><CacheBehavior>
    <PathPattern>/assets/*</PathPattern><TargetOriginId>site-bucket</TargetOriginId>
    <ViewerProtocolPolicy>redirect-to-https</ViewerProtocolPolicy><Compress>true</Compress>
    <CachePolicyId>658327ea-f89d-4fab-a63d-7e88639e58f6</CachePolicyId>
  </CacheBehavior></Items></CacheBehaviors>
  <CustomErrorResponses><Quantity>1</Quantity><Items><CustomErrorResponse>
    <ErrorCode>404</ErrorCode><ResponsePagePath>/404.html</ResponsePagePath>
    <ResponseCode>404</ResponseCode><ErrorCachingMinTTL>10</ErrorCachingMinTTL>
  </CustomErrorResponse></Items></CustomErrorResponses>
  <Comment>static site</Comment><PriceClass>PriceClass_All</PriceClass><Enabled>true</Enabled>
  <ViewerCertificate><CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate></ViewerCertificate>
  <Restrictions><GeoRestriction><RestrictionType>none</RestrictionType><Quantity>0</Quantity></GeoRestriction></Restrictions>
  <WebACLId></WebACLId><HttpVersion>http2</HttpVersion><IsIPV6Enabled>true</IsIPV6Enabled>
  <ContinuousDeploymentPolicyId></ContinuousDeploymentPolicyId><Staging>false</Staging>
  <CacheTagConfig><HeaderName>x-amz-meta-cache-tag</HeaderName></CacheTagConfig>
  <FutureThing/>
</DistributionConfig>`

// sampleDecoded is what the package knows of sampleConfig.
func sampleDecoded() DistributionConfig {
	read := []string{"HEAD", "GET"}
	return DistributionConfig{
		CallerReference: "site", Comment: "static site", Enabled: true, DefaultRootObject: "index.html",
		Aliases: []string{"www.example.org"},
		Origins: []Origin{{
			ID: "site-bucket", DomainName: "site-bucket.s3.eu-central-1.amazonaws.com",
			S3Origin: &S3Origin{}, OriginAccessControlID: "E2OACEXAMPLE",
		}},
		DefaultCacheBehavior: CacheBehavior{
			TargetOriginID: "site-bucket", ViewerProtocolPolicy: "redirect-to-https", Compress: true,
			AllowedMethods: read, CachedMethods: read,
			FunctionAssociations: []FunctionAssociation{{
				FunctionARN: "arn:aws:cloudfront::111122223333:function/index-rewrite", EventType: "viewer-request",
			}},
			CachePolicyID:           "658327ea-f89d-4fab-a63d-7e88639e58f6",
			ResponseHeadersPolicyID: "67f7725c-6f97-4210-82d7-5512b31e9d03",
		},
		CacheBehaviors: []CacheBehavior{{
			PathPattern: "/assets/*", TargetOriginID: "site-bucket", ViewerProtocolPolicy: "redirect-to-https",
			Compress: true, CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6",
		}},
		CustomErrorResponses: []CustomErrorResponse{{ErrorCode: 404, ResponsePagePath: "/404.html", ResponseCode: 404, ErrorCachingMinTTL: 10}},
		CacheTagConfig:       &CacheTagConfig{HeaderName: "x-amz-meta-cache-tag"},
	}
}
